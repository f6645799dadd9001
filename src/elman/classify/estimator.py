"""`TextClassifier`: the classifier as a scikit-learn estimator over lists of strings."""

import inspect
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from .. import language
from ..labels import alike, class_numbers, find_classes
from ..language.estimator import LanguageModel
from ..settings import setting_fields, to_dict
from ..text import mark_of, strings
from ..training import Epoch
from . import contamination, persistence
from .config import DEFAULT_PRESET, FINE_TUNED, ClassifierConfig, resolve
from .fine_tune import adopt
from .fit import fit
from .given import grouped, labelled, pair, watched
from .model import Classifier
from .split import Split, hold_out, off_share
from .teach import believed
from .weights import as_setting, check_class_weight, row_weights


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A recurrent text classifier with scikit-learn's verbs.

    The same texts, settings and seed give the same bits, alone, in several threads at once and in other processes, with
    the same number of torch's threads. A fitted one answers in several threads at once.

    Args:
        preset: text-rnn (default), simple-rnn, lstm, gru, or fine-tuned, the default with `pretrained`.
        pretrained: folder of a language model of `elman pretrain` (or what `elman.language.load` made of it), whose
            words and layers the classifier starts with, or a trained `elman.LanguageModel`; a list of two for a forward
            and a backward one.
        **settings: any setting of `ClassifierConfig`; None takes the preset's value.

    Attributes:
        classes_: [C] the labels, sorted.
        history_: one `Epoch` per epoch of training.
        config_: the resolved `ClassifierConfig`.
        classifier_: the trained `Classifier`.

    Example:
        >>> model = TextClassifier(epochs=3).fit(texts, labels)
        >>> model.predict(["a film to remember"])
    """

    classes_: NDArray[Any]
    history_: list[Epoch]
    config_: ClassifierConfig
    classifier_: Classifier

    def __init__(self, preset: str = DEFAULT_PRESET, pretrained: Any = None, **settings: Any) -> None:
        names = [f.name for f in setting_fields(ClassifierConfig)]
        unknown = sorted(set(settings) - set(names))
        if unknown:
            raise TypeError(
                f"TextClassifier has no setting {', '.join(unknown)}; it has: preset, pretrained, {', '.join(names)}"
            )
        self.preset, self.pretrained = preset, pretrained
        for name in names:
            setattr(self, name, settings.get(name))

    def fit(
        self,
        X: Sequence[str],
        y: Sequence[Any],
        sample_weight: Any = None,
        *,
        validation: tuple[Sequence[str], Sequence[Any]] | None = None,
        groups: Sequence[Any] | None = None,
        taught: tuple[Sequence[str], Any] | None = None,
    ) -> Self:
        """Train on texts and their labels.

        Args:
            X: B strings.
            y: B labels, all of them strings or all of them numbers or booleans.
            sample_weight: [B] how much each text counts, or a number for all: in the loss, the n-grams' counts, the
                validation and the calibration a text of weight 2 is two texts, and one of weight 0 is not there. The
                vocabulary is that of the texts, whatever they count.
            validation: (texts, labels) to watch; without it `validation_split` of the rows is held out.
            groups: [B] what a text belongs to, such as its author; those of one group stay on one side of that split.
            taught: (texts, probabilities [N, C]) to learn from beside them, such as what another classifier's
                `predict_proba` says of texts without labels; its columns are the sorted labels. Texts that have a label
                or are held out are left out. See `classify.teach`.
        Raises:
            DataError, LabelError, SplitError: input that cannot be learned from. Warnings, UserWarning and
                DataConversionWarning, say what was done other than asked for.
            UsageError: a setting that cannot be meant, or groups and nothing to hold out.
            DivergedError: the loss stopped being a number.
        """
        texts, labels = labelled(X, y)
        weights = row_weights(sample_weight, len(texts))
        count = len(texts)
        present = np.arange(count) if weights is None else np.flatnonzero(weights)
        texts, labels = [texts[row] for row in present], [labels[row] for row in present]
        classes, numbers = find_classes(labels)
        notes = alike(labels)
        weights = None if weights is None else weights[present]
        train, held_out = Split(texts, numbers, weights=weights), None
        config, start = self._configuration(classes)
        if groups is not None:
            groups = grouped(groups, is_split=validation is None and bool(config.validation_split))
            groups = [groups[row] for row in present] if len(groups) == count else groups
        if validation is not None:
            held_texts, held_labels = watched(validation)
            held_out = Split(held_texts, class_numbers(held_labels, classes, "validation"))
            in_training = contamination.count(held_texts, contamination.marks_of(texts))
            if in_training:
                notes.append(contamination.sentence("validation", in_training, len(held_texts)))
        elif config.validation_split:
            train, held_out = hold_out(train, classes, config.validation_split, config.seed, groups)
            if note := off_share(train, held_out, config.validation_split):
                notes.append(note)
        if taught is not None:
            further_texts, opinions = pair(taught, "taught", "probabilities")
            further = believed(strings(further_texts, "row"), opinions, len(classes))
            known = {mark_of(text) for part in (train, held_out) if part is not None for text in part.texts}
            rows = [row for row, text in enumerate(further.texts) if mark_of(text) not in known]
            train = train.with_taught(further.select(np.array(rows, np.int64)))
        for note in notes:
            warnings.warn(note, stacklevel=2)
        fitted = fit(train, held_out, classes, config, start=start)
        self._adopt(fitted.classifier, fitted.history)
        return self

    def _configuration(self, classes: NDArray[Any]) -> tuple[ClassifierConfig, list[language.TrainedLanguageModel]]:
        """The settings, and the language models that the network starts with."""
        settings = self.get_params()
        settings["class_weight"] = as_setting(settings["class_weight"], classes.tolist())
        models = settings.pop("pretrained")
        models = [] if models is None else models if isinstance(models, list | tuple) else [models]
        start = [_trained(model) for model in models]
        if start and self.preset == DEFAULT_PRESET:
            settings["preset"] = FINE_TUNED
        config = resolve(**settings)
        check_class_weight(config.class_weight, classes.tolist())
        return (adopt(start, config) if start else config), start

    def predict(self, X: Sequence[str]) -> NDArray[Any]:
        """[B] labels."""
        chosen = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def predict_proba(self, X: Sequence[str]) -> NDArray[np.float32]:
        """[B, C] probabilities, columns in the order of `classes_`."""
        check_is_fitted(self, "classifier_")
        return self.classifier_.probabilities(strings(X, "row"))

    def predict_log_proba(self, X: Sequence[str]) -> NDArray[np.float32]:
        """[B, C] logarithms of the probabilities, finite where a probability is 0 to the last digit."""
        return np.asarray(log_softmax(self._scores(X), axis=1))

    def decision_function(self, X: Sequence[str]) -> NDArray[np.float32]:
        """[B, C] scores, whose softmax are the probabilities; of two classes [B], the log-odds of the second."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def _scores(self, X: Sequence[str]) -> NDArray[np.float32]:
        check_is_fitted(self, "classifier_")
        return self.classifier_.scores(strings(X, "row"))

    def save(self, folder: str | Path) -> None:
        """Write the trained model as a folder that `load` and the command line read."""
        check_is_fitted(self, "classifier_")
        persistence.save(self.classifier_, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """A fitted estimator from a model folder. Raises ModelFolderError."""
        classifier = persistence.load(folder)
        estimator = cls(**to_dict(classifier.config))
        estimator._adopt(classifier, [])
        return estimator

    def _adopt(self, classifier: Classifier, history: list[Epoch]) -> None:
        self.classifier_, self.history_ = classifier, history
        self.classes_, self.config_ = classifier.classes, classifier.config

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _trained(model: Any) -> language.TrainedLanguageModel:
    if isinstance(model, LanguageModel):
        return model.trained
    return model if isinstance(model, language.TrainedLanguageModel) else language.load(model)


def _signature() -> inspect.Signature:
    """`__init__` with every setting by name: what get_params, clone and help() read."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(TextClassifier.__init__).parameters.values())[:3]
    settings = [inspect.Parameter(f.name, keyword, default=None) for f in setting_fields(ClassifierConfig)]
    return inspect.Signature([*own, *settings])


TextClassifier.__init__.__signature__ = _signature()  # type: ignore[attr-defined]
