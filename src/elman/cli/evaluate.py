"""elman evaluate: a saved model measured on labelled data."""

from typing import Annotated

import typer

from .. import classify
from . import _options as options
from ._show import class_table, err, json_line, metrics_table, out


def evaluate(
    run: options.ClassifierRun,
    data: options.Data,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    quoting: options.Quoting = None,
    skip_unlabelled: options.SkipUnlabelled = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure a trained model on labelled data."""
    metrics = classify.evaluate(
        run,
        data,
        text_column=text_column,
        label_column=label_column,
        encoding=encoding,
        quoting=quoting,
        skip_unlabelled=skip_unlabelled,
        say=err.print,
    )
    if as_json:
        typer.echo(json_line(metrics))
        return
    out.print(metrics_table({data: metrics}))
    out.print(class_table(metrics))
