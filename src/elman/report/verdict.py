"""The curves in plain words."""

from typing import Any


def overfitting_verdict(history: list[dict[str, Any]]) -> str:
    """What the training and validation curves say, and what to do about it.

    Args:
        history: per epoch train_loss, train_accuracy, validation_loss, validation_accuracy.
    """
    watched = [epoch for epoch in history if epoch["validation_loss"] is not None]
    if not watched:
        return "There was no validation data, so overfitting cannot be judged. Give a validation file or a split."
    lowest = min(watched, key=lambda epoch: epoch["validation_loss"])
    best = max(watched, key=lambda epoch: (epoch["validation_accuracy"], -epoch["validation_loss"]))
    last = watched[-1]
    gap = best["train_accuracy"] - best["validation_accuracy"]
    kept = f"The weights of epoch {best['epoch']} were kept, validation accuracy {best['validation_accuracy']:.3f}."
    if last["validation_loss"] > 1.1 * lowest["validation_loss"] and last["epoch"] > lowest["epoch"]:
        return (
            f"Overfitting from epoch {lowest['epoch']} on: the validation loss rose from "
            f"{lowest['validation_loss']:.3f} to {last['validation_loss']:.3f} while the training loss fell to "
            f"{last['train_loss']:.3f}. {kept} More dropout, word_dropout or data would help; more epochs will not."
        )
    if gap > 0.05:
        return (
            f"Some overfitting: in the epoch kept, training accuracy is {gap:.3f} above validation accuracy, "
            f"but the validation loss did not rise much. {kept}"
        )
    if lowest is last and len(watched) > 1 and watched[-2]["validation_loss"] > 1.02 * last["validation_loss"]:
        return f"No overfitting, and the validation loss was still falling: more epochs may help. {kept}"
    return f"No overfitting to speak of: training and validation stay within {abs(gap):.3f} of each other. {kept}"


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
