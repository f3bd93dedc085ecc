"""The command `sweep`: recordings with every combination of settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from webapi.voice_node.cli.options import Channel, Graph, Jobs, Set, print_error, settings_from
from webapi.voice_node.config import Settings
from webapi.voice_node.errors import UserError


def sweep(
    recordings: Annotated[list[str], typer.Argument(metavar="WAV…", help="WAV files, folders or glob patterns.")],
    grid: Annotated[
        list[str], typer.Option(metavar="NAME=VALUES", help="A setting and 4..10, 4..10:2 or a,b,c; may be repeated.")
    ],
    graph: Graph = None,
    labels: Annotated[Path | None, typer.Option(help="A folder with the labels, if not beside the WAVs.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for sweep.csv, sweep.json and the picture.")] = None,
    channel: Channel = 0,
    jobs: Jobs = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Keep nothing of what was heard on disk, and use nothing that is there.")
    ] = False,
    set_: Set = None,
) -> None:
    """Run a graph over recordings with every combination of settings, and compare what was heard."""
    from webapi.voice_node.graph.settings_used import vad_backends
    from webapi.voice_node.replay.batch import cores
    from webapi.voice_node.replay.sweep.corpus import find_corpus
    from webapi.voice_node.replay.sweep.grid import cells
    from webapi.voice_node.replay.sweep.run import sweep as run_sweep
    from webapi.voice_node.replay.sweep.table import show
    from webapi.voice_node.replay.sweep.write import make_folder, write_rows
    from webapi.voice_node.vad import missing_note

    def load(point: Mapping[str, str]) -> Settings:
        return settings_from([*(set_ or ()), *(f"{k}={v}" for k, v in point.items())], voice_graph=graph)

    fixed = [pair.partition("=")[0].strip().upper() for pair in set_ or ()] + (["VOICE_GRAPH"] if graph else [])
    missing: list[str] = []
    corpus, grid_cells = find_corpus(recordings, labels, missing), cells(grid, fixed, load)
    if out:
        make_folder(out)
    swept = run_sweep(corpus, grid_cells, jobs or cores(), channel, keep=not no_cache)
    vads = {vad for cell in grid_cells for vad in vad_backends(cell.graph)}
    stand_ins = [f"VAD: {missing_note(vad)}" for vad in sorted(vads) if missing_note(vad)]
    for problem in [*stand_ins, *missing, *swept.problems]:
        print_error(problem)
    if not any(row["recordings"] for row in swept.rows):
        raise UserError("None of the recordings could be replayed.")
    names = list(grid_cells[0].values)
    show(swept.rows, names, [(r.seconds, r.labels is not None) for r in corpus if r.seconds])
    if out:
        write_rows(out, swept.rows, names, corpus)
        try:
            from webapi.voice_node.replay.sweep.plots import draw  # here: matplotlib is an extra, and slow to import
        except UserError as error:
            print_error(str(error))
        else:
            draw(swept.rows, names, out)
    raise typer.Exit(1 if swept.failed or missing else 0)
