"""A trained network with what it needs to answer for raw inputs: the one path of predicting, measuring and serving."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from tlx.backbones.backbone import Form
from tlx.columns import Column, Image, Reading
from tlx.columns.batch import Batch
from tlx.columns.input_spec import InputSpec, arguments
from tlx.config.dataset_parts import Limits
from tlx.config.errors import ConfigError, ConfigIssue, InputError
from tlx.prediction import answers, forms, images
from tlx.prediction.answers import Answer
from tlx.prediction.arithmetic import arithmetic
from tlx.prediction.card import as_html, as_text, card
from tlx.prediction.embedding import checked_form, of_each
from tlx.prediction.forms import Compute
from tlx.prediction.odd_values import OddValues
from tlx.prediction.refused import InvalidInput
from tlx.prediction.values import Row, canonical, described, row_of
from tlx.tasks.network import Network, specs
from tlx.tasks.views import averaged
from tlx.tasks.whole import WholeNetwork
from tlx.training.network import Trained
from tlx.training.precision import floats


class Model(nn.Module):
    """A trained model, in eval mode, that predicts for raw inputs: images, texts, rows of a table.

    Attributes:
        schema: The columns of its data.
        task: What it was trained for.
        network: The network itself; its inputs are by column.
        trial: The configuration that it was trained by.
        batch_size: Inputs that go through it together, unless another number is asked for.
        limits: The most that is read of one value.

    Example:
        >>> model = tlx.load("runs/resnet18-fine_tune-birds-s0-0123456789ab")
        >>> model.predict("robin.jpg")["prediction"]
        'robin'
    """

    def __init__(self, trained: Trained, identity: str = "") -> None:
        """``identity``: of the trial, for what is written of its predictions."""
        super().__init__()
        self.identity = identity
        self.trial, self.schema, self.task = trained.trial, trained.schema, trained.task
        self.backbone = trained.backbone
        self.network = trained.model
        self.batch_size = int(trained.trial.dataset.eval_batch_size)
        self.limits: Limits = trained.trial.dataset.limits
        self.eval()

    @property
    def predictor(self) -> nn.Module:
        """The network as it predicts: its mean over the views of ``dataset.test_augment``, where there are some."""
        return averaged(self.network, self.task, self.trial.dataset.test_augment)

    @property
    def inputs(self) -> dict[str, Column]:
        """What it reads, by column."""
        return self.schema.inputs

    @property
    def specs(self) -> dict[str, InputSpec]:
        """What the network expects of the columns that its backbone reads."""
        return specs(self.network)

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes in the order of its outputs; None where it predicts none."""
        return answers.classes(self.schema)

    @property
    def device(self) -> torch.device:
        """Where it computes; :meth:`to` moves it."""
        return next(iter(self.parameters()), torch.empty(0)).device

    # -- from raw values to tensors --------------------------------------------------------------------------------

    def reading(self, column: str, limits: Limits | None = None) -> Reading:
        """How the values of a column are prepared."""
        return Reading(self.specs.get(column), limits=limits or self.limits)

    def transform(self, value: Any) -> Any:
        """A raw value, or a row by column, as the network reads it, without a batch: an image of bytes is of bytes.

        Args:
            value: As :meth:`predict` takes it.

        Returns:
            By column; of a model with one input column the value alone.

        Raises:
            InputError: It is no input.
        """
        odd = OddValues()
        try:
            found = self.prepared(row_of(value, self.inputs), odd=odd)
        except InvalidInput as error:
            raise InputError([ConfigIssue("input", str(error))]) from error
        for line in odd.lines():
            warnings.warn(line, stacklevel=2)
        return next(iter(found.values())) if len(found) == 1 else found

    def prepared(self, row: Row, limits: Limits | None = None, odd: OddValues | None = None) -> dict[str, Any]:
        """The values of a row as the network reads them, by column.

        Args:
            row: A raw value for each input.
            limits: The most that is read of one; None: the trial's.
            odd: Takes in the images.

        Raises:
            InvalidInput: Some are no inputs.
        """
        found, wrong = {}, []
        for name, column in self.inputs.items():
            try:
                if isinstance(column, Image):
                    value, seen = images.looked_at(column, row[name], limits or self.limits)
                    if odd is not None:
                        odd.look(column, seen)
                else:
                    value = canonical(column, row[name], limits or self.limits)
                found[name] = column.prepare(value, self.reading(name, limits))
                if isinstance(found[name], list) and not found[name]:
                    raise InvalidInput("holds nothing that the model's tokenizer knows")
            except ValueError as error:  # an InvalidInput, or an image whose colours the network does not read
                wrong.append(f"{name!r}: {error}" if len(self.inputs) > 1 else str(error))
        if wrong:
            raise InvalidInput("; ".join(wrong))
        return found

    def collate(self, prepared: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Prepared rows as the inputs of a batch, by column, where the network is."""
        rows = list(prepared)
        inputs = {
            name: column.collate([row[name] for row in rows], self.reading(name))
            for name, column in self.inputs.items()
        }
        return self.placed(Batch(torch.arange(len(rows)), inputs)).inputs

    def forward(self, inputs: Any) -> Tensor:
        """The outputs that are predicted from [batch, outputs]: the network's, or of the mean over its views.

        Args:
            inputs: A batch of transformed inputs by column; of a model with one input column its value does as well.
        """
        if isinstance(self.network, WholeNetwork):
            raise ConfigError([ConfigIssue("model", "owns its loss and has predictions alone: call predict")])
        outputs: Tensor = self.predictor(self._by_column(inputs))
        return outputs

    def _by_column(self, inputs: Any) -> dict[str, Any]:
        if isinstance(inputs, Mapping) and inputs.keys() == self.inputs.keys():
            return dict(inputs)
        if len(self.inputs) != 1:
            raise InputError([ConfigIssue("inputs", f"expected tensors by column: {described(self.inputs)}")])
        return {next(iter(self.inputs)): inputs}

    def placed(self, batch: Batch) -> Batch:
        """The batch where the network is, in its arithmetic."""
        wanted = floats(self.trial.hardware.precision)
        batch = batch.to(self.device)
        if wanted != torch.float32:
            batch = batch.map(lambda one: one.to(wanted) if one.is_floating_point() else one)
        return batch

    # -- answers ---------------------------------------------------------------------------------------------------

    def predict(self, x: Any, top_k: int | None = None, batch_size: int | None = None) -> Any:
        """Predict for raw inputs.

        Args:
            x: An image (a path, one of PIL's, an array [h, w] or [h, w, c] of numbers as files of train have them), a
                text, a row (a mapping by column), or a list or a DataFrame of these.
            top_k: Add that many classes with the highest probabilities.
            batch_size: Inputs that go through the network together; None: as many as in the trial's own test. The
                bits are those of the test where torch's threads and kernels are, too: ``tlx predict`` sees to that.

        Returns:
            A dict with the ``prediction``, the ``probabilities`` of classes by name, and the ``top_k`` as pairs; for a
            list a list, for a DataFrame a DataFrame. Several numbers that are predicted come by name.

        Raises:
            InputError: Some are no inputs of this model; it names which and what is expected.
        """
        return forms.answered(self, x, list, self.predicting(top_k), batch_size)

    def features(self, x: Any, depth: int = -1, form: Form | None = None, batch_size: int | None = None) -> Any:
        """Embeddings: what the backbone makes of raw inputs.

        Args:
            x: As :meth:`predict` takes it.
            depth: A block, counted from the input, or from the end where negative.
            form: ``vector``, or another that the backbone gives (``pyramid``, ``tokens``); None: the vector at the
                last depth, the other form at others.
            batch_size: Inputs that go through the network together.

        Returns:
            A tensor [width], [width, h, w] or [tokens, width]; for several inputs one more dimension, or a list where
            their shapes differ.
        """
        return forms.answered(self, x, answers.stacked, self.embedding(depth, form), batch_size)

    def stream(self, values: Iterable[Any], compute: Compute, batch_size: int | None = None) -> Iterator[Any]:
        """Answer one value after the other, with a batch in memory.

        Args:
            values: As :meth:`predict` takes them, one by one; an :class:`InvalidInput` among them stays what it is.
            compute: What is wanted of a batch, such as :meth:`predicting`.
            batch_size: Inputs that go through the network together.

        Yields:
            For each value in its order an answer, or an :class:`InvalidInput` that says why there is none.
        """
        waiting: list[dict[str, Any] | InvalidInput] = []
        good, most = 0, batch_size or self.batch_size
        odd = OddValues()
        for value in values:
            found = self.looked_at(value, odd)
            if isinstance(found, InvalidInput) and not good:
                yield found
                continue
            waiting.append(found)
            good += not isinstance(found, InvalidInput)
            if good == most:
                yield from self._answered(waiting, compute)
                waiting, good = [], 0
        yield from self._answered(waiting, compute)
        for line in odd.lines():
            warnings.warn(line, stacklevel=2)

    def predicting(self, top_k: int | None = None) -> Compute:
        """What :meth:`stream` computes to predict; raises :class:`ConfigError` for a ``top_k`` that cannot be."""
        answers.check_top_k(top_k, self.classes)
        return lambda batch: [answers.with_top_k(one, top_k) for one in self.answer(batch)]

    def embedding(self, depth: int = -1, form: Form | None = None) -> Compute:
        """What :meth:`stream` computes to embed; raises :class:`ConfigError` for a form that there is not."""
        wanted = checked_form(self.backbone, depth, form)
        reads: dict[str, str] = self.network.reads  # type: ignore[assignment]

        def compute(batch: Batch) -> list[Tensor]:
            given = arguments(
                reads, self.placed(batch).inputs, self.backbone.takes, floats(self.trial.hardware.precision)
            )
            own = self.network.arithmetic(given) if isinstance(self.network, Network) else nullcontext()
            with self._computing(), own:
                (found,) = self.backbone.features(given, wanted, (depth,))
            return of_each(found, given.get("attention_mask") if wanted == "tokens" else None)

        return compute

    def answer(self, batch: Batch) -> list[Answer]:
        """The answers for a batch of prepared inputs, such as :meth:`collate` gives."""
        with self._computing():
            return answers.of_records(self.task.predict(self.predictor, self.placed(batch)), self.schema)

    def looked_at(self, value: Any, odd: OddValues | None = None) -> dict[str, Any] | InvalidInput:
        """A value as the network reads it, by column, or why it is no input; ``odd`` takes in the images."""
        if isinstance(value, InvalidInput):
            return value
        try:
            return self.prepared(row_of(value, self.inputs), odd=odd)
        except InvalidInput as error:
            return error

    def _answered(self, waiting: list[dict[str, Any] | InvalidInput], compute: Compute) -> Iterator[Any]:
        good = [one for one in waiting if not isinstance(one, InvalidInput)]
        found = iter(compute(Batch(torch.arange(len(good)), self.collate(good))) if good else [])
        for one in waiting:
            yield one if isinstance(one, InvalidInput) else next(found)

    def _computing(self) -> Any:
        return arithmetic(self.trial.hardware.precision, self.device)

    # -- towards people --------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        """What it is; :attr:`network` shows its layers."""
        return as_text(card(self.trial, self.schema))

    def _repr_html_(self) -> str:
        return as_html(card(self.trial, self.schema))
