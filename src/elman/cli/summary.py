"""elman summary: the layer table."""

from rich.table import Table

from . import _options as options
from ._rooms import room_of
from ._show import out


def summary(run: options.RunFolder) -> None:
    """Print the layers of a trained model with their output shapes and parameters."""
    rows = room_of(run).summary(run)
    table = Table(header_style="bold", caption="B texts of T tokens")
    table.add_column("layer")
    table.add_column("output shape")
    table.add_column("parameters", justify="right")
    for row in rows:
        table.add_row(row.layer, row.output, f"{row.parameters:,}")
    table.add_section()
    table.add_row("total", "", f"{sum(row.parameters for row in rows):,}")
    out.print(table)
