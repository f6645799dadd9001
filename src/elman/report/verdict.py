"""The curves in plain words."""

import math
from typing import Any, NamedTuple

from scipy.special import bdtrc, ndtr

# How often a network that knows nothing may seem to have learned.
_FALSE_ALARM = 0.01


class Judgement(NamedTuple):
    """`is_fine`: whether nothing needs mending; `sentence`: why, and what to do about it."""

    is_fine: bool
    sentence: str


def overfitting_verdict(history: list[dict[str, Any]]) -> str:
    """What `learning_verdict` says of the curves alone."""
    return learning_verdict(history).sentence


def learning_verdict(
    history: list[dict[str, Any]], validation: dict[str, Any] | None = None, *, weighted: bool = False
) -> Judgement:
    """What the training and validation curves say, and what to do about it.

    Args:
        history: per epoch train_loss, train_accuracy, validation_loss, validation_accuracy.
        validation, weighted: as in `chance_sentence`; without the first it is not asked whether anything was learned.
    """
    watched = [epoch for epoch in history if epoch["validation_loss"] is not None]
    if not watched:
        return Judgement(
            True, "There was no validation data, so overfitting cannot be judged. Give a validation file or a split."
        )
    lowest = min(watched, key=lambda epoch: epoch["validation_loss"])
    best, last = kept_epoch(watched), watched[-1]
    gap = best["train_accuracy"] - best["validation_accuracy"]
    kept = f"The weights of epoch {best['epoch']} were kept, validation accuracy {best['validation_accuracy']:.3f}."
    if chance := chance_sentence(history, validation, weighted=weighted):
        return Judgement(False, f"{chance} {_on_training(watched, best)} {kept}")
    if last["validation_loss"] > 1.1 * lowest["validation_loss"] and last["epoch"] > lowest["epoch"]:
        rose = f"the validation loss rose from {lowest['validation_loss']:.3f} to {last['validation_loss']:.3f}"
        if last["train_loss"] > 1.1 * lowest["train_loss"]:
            return Judgement(
                False,
                f"Training came apart after epoch {lowest['epoch']}: {rose}, and the training loss from "
                f"{lowest['train_loss']:.3f} to {last['train_loss']:.3f}. {kept} A lower learning_rate or clip_norm "
                "would help.",
            )
        went = "fell to" if last["train_loss"] < lowest["train_loss"] else "stayed near"
        return Judgement(
            False,
            f"Overfitting from epoch {lowest['epoch']} on: {rose} while the training loss {went} "
            f"{last['train_loss']:.3f}. {kept} More dropout, word_dropout or data would help; more epochs will not.",
        )
    if gap > 0.05:
        return Judgement(
            True,
            f"Some overfitting: in the epoch kept, training accuracy is {gap:.3f} above validation accuracy, "
            f"but the validation loss did not rise much. {kept}",
        )
    if lowest is last and len(watched) > 1 and watched[-2]["validation_loss"] > 1.02 * last["validation_loss"]:
        return Judgement(
            True, f"No overfitting, and the validation loss was still falling: more epochs may help. {kept}"
        )
    return Judgement(
        True, f"No overfitting to speak of: training and validation stay within {abs(gap):.3f} of each other. {kept}"
    )


def kept_epoch(watched: list[dict[str, Any]]) -> dict[str, Any]:
    """The validated epoch whose weights were kept: of the highest accuracy, the lower loss among equals."""
    return max(watched, key=lambda epoch: (epoch["validation_accuracy"], -epoch["validation_loss"]))


def chance_sentence(history: list[dict[str, Any]], validation: dict[str, Any] | None, *, weighted: bool = False) -> str:
    """That the network is no better than one that always names the most frequent class, or "" if it is.

    Better is a best epoch whose right answers such a network would have less than once in a hundred times, as many
    times as there are epochs to choose from.

    Args:
        validation: the whole classifier's figures on the validation texts, see `classify.metrics.measure`; None if
            there are none.
        weighted: classes count unequally in the loss, so not the accuracy is looked at but the mean recall.
    """
    watched = [epoch for epoch in history if epoch["validation_loss"] is not None]
    classes = [row for row in (validation or {}).get("per_class", ()) if row["rows"]]
    rows = sum(row["rows"] for row in classes)
    if not watched or not rows:
        return ""
    if weighted:
        recall, share, error = mean_recall(classes)
        if len(watched) * ndtr((share - recall) / max(error, 1e-9)) < _FALSE_ALARM:
            return ""
        figures = f"{recall:.3f} is the mean recall of the {len(classes)} classes"
    else:
        accuracy, (share, error) = kept_epoch(watched)["validation_accuracy"], majority(classes)
        if len(watched) * bdtrc(round(accuracy * rows) - 1, rows, share) < _FALSE_ALARM:
            return ""
        figures = f"{accuracy:.3f} of the {rows:,} validation texts are right at best"
    guess = "always to name one class" if weighted else "always to name the most frequent class"
    return (
        f"The network has learned nothing that can be told from chance: {figures}, and {guess} gives "
        f"{share:.3f} ± {error:.3f}."
    )


def majority(classes: list[dict[str, Any]]) -> tuple[float, float]:
    """Share of the most frequent class, and its sampling error.

    Args:
        classes: `rows` of each class.
    """
    rows = sum(row["rows"] for row in classes)
    share = max(row["rows"] for row in classes) / rows
    return share, math.sqrt(share * (1 - share) / rows)


def mean_recall(classes: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Mean over the classes; what it is by chance, and the sampling error of that.

    Args:
        classes: `rows` and `recall` of each class.
    """
    count = len(classes)
    share = 1 / count
    variance = sum(share * (1 - share) / row["rows"] for row in classes)
    return sum(row["recall"] for row in classes) / count, share, math.sqrt(variance) / count


def _on_training(watched: list[dict[str, Any]], best: dict[str, Any]) -> str:
    """Whether a network that is no better than chance knows at least its training texts."""
    by_heart = max(epoch["train_accuracy"] for epoch in watched)
    if by_heart > best["validation_accuracy"] + 0.1:
        return (
            f"It knows training texts by heart (accuracy {by_heart:.3f}): look whether the labels have to do with the "
            "texts, or give more of them."
        )
    return "A higher learning_rate or more epochs may help; look whether the labels have to do with the texts."


def clipping_verdict(gradient: dict[str, float]) -> str:
    """What the gradient norms say of `clip_norm`, in one sentence.

    Args:
        gradient: mean, median, quantile_90, clipped, clip_norm, proposed_clip_norm; of a run's metrics.json.
    """
    limit, usual = gradient["clip_norm"], gradient["proposed_clip_norm"]
    norms = "Gradient norm: mean {mean:.3g}, median {median:.3g}, 90 % below {quantile_90:.3g}".format(**gradient)
    if not usual:
        return f"{norms}, so there was nothing to clip."
    norms += f"; {100 * gradient['clipped']:.1f} % of the steps were clipped"
    if limit and 0.5 * usual <= limit <= 10 * usual:
        return (
            f"{norms}; clip_norm {limit:g} suits, being 0.5 to 10 times the usual norm {usual:g} (Pascanu et al. 2013)."
        )
    state = f"{limit:g} is {'low' if limit < usual else 'high'}" if limit else "is off"
    return (
        f"{norms}; clip_norm {state}: {usual:g}, the usual norm, would suit, or 0.5 to 10 times as much "
        "(Pascanu et al. 2013)."
    )


def coverage_sentence(vectors: dict[str, Any]) -> str:
    """How many words have a pretrained vector, in one sentence.

    Args:
        vectors: file, kind, dim, rows, tuned, vocabulary, tokens; of a run's metrics.json.
    """
    course = "trained further" if vectors["tuned"] else "frozen"
    return (
        "Word vectors for {vocabulary:.1%} of the vocabulary and {tokens:.1%} of the training tokens, {dim} wide, from "
        "{file} ({kind}, {rows:,} words), {course}."
    ).format(**vectors, course=course)
