"""Finished trials put to use: predictions for new inputs, and measurements on other data. No data set is needed."""
