"""Reports: what the recorded results of a study say, in numbers, figures and pages."""
