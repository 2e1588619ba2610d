"""The command line: each command parses, calls and prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kgbuild.errors import KgbuildError

if TYPE_CHECKING:
    from kgbuild.build import BuildReport
    from kgbuild.config import Config

app = typer.Typer(
    name="kgbuild",
    help="From a fashion catalogue to a multi-modal knowledge graph and an image-text model trained with it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

DEFAULT_CONFIG = Path("kgbuild.toml")

OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder that holds releases and the embedded store.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="A TOML config; default: ./kgbuild.toml, else the release's own settings."),
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: section.key=value.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
NoLoadOption = Annotated[bool, typer.Option("--no-load", help="Do not load the release into the graph store.")]


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from kgbuild import __version__

        sys.stdout.write(f"kgbuild {__version__}\n")
        raise typer.Exit


@app.command()
def init(
    catalogue: Annotated[str, typer.Argument(help="A Parquet, CSV or JSON Lines file, or a folder of them.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The file to write.")] = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Look at a catalogue's columns and write a config with a proposed mapping."""
    from kgbuild import console
    from kgbuild.actions import propose_config
    from kgbuild.errors import ConfigError

    if config.exists() and not force:
        raise ConfigError(f"{config} exists already", "give --force to overwrite it, or --config for another name")
    text, notes = propose_config(catalogue, config.parent)
    config.write_text(text, "utf-8")
    console.table(["setting", "what was seen"], sorted(notes.items()))
    console.result(f"\nwrote {config}; look it over, then: kgbuild build --config {config} --out out")


@app.command()
def build(
    catalogue: Annotated[str | None, typer.Argument(help="The catalogue, where no config names one.")] = None,
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    dry_run: DryOption = False,
    no_load: NoLoadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build the knowledge graph of a catalogue: concepts, is-a edges, prototypes, batches, and the loaded store."""
    from kgbuild.build import build as run_build
    from kgbuild.build import plan

    loaded = _config(config, settings, out, catalogue=catalogue)
    if dry_run:
        _print_plan(plan(loaded, out), as_json)
        return
    _build_and_load(loaded, out, no_load, as_json, lambda progress: run_build(loaded, out, progress=progress))


@app.command()
def expand(
    new_products: Annotated[Path, typer.Argument(help="The new products, with the columns of the catalogue.")],
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    dry_run: DryOption = False,
    no_load: NoLoadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add new products to the current release and make the next one."""
    from kgbuild.build import expand as run_expand
    from kgbuild.build import plan

    loaded = _config(config, settings, out)
    if dry_run:
        _print_plan(plan(loaded, out, new_products=new_products), as_json)
        return
    _build_and_load(
        loaded, out, no_load, as_json, lambda progress: run_expand(loaded, new_products, out, progress=progress)
    )


@app.command("run")
def run_one(
    stage: Annotated[str, typer.Argument(help="The stage to run again; what depends on it follows.")],
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    no_load: NoLoadOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run one stage of the current release again, and the stages that depend on it."""
    from kgbuild.build import run_stage

    loaded = _config(config, settings, out)
    _build_and_load(loaded, out, no_load, as_json, lambda progress: run_stage(loaded, stage, out, progress=progress))


@app.command()
def status(out: OutOption = Path("out"), as_json: JsonOption = False) -> None:
    """Say what the folder holds: the current release, its tables, its rejects, earlier releases, the store."""
    from kgbuild import console
    from kgbuild.actions import describe

    state = describe(out)
    if as_json:
        console.as_json(state)
        return
    console.result(f"release   {state['release']}  (of {len(state['releases'])} kept)")
    console.result(f"folder    {state['folder']}")
    stores = ", ".join(f"{place}: {release}" for place, release in state["stores"].items())
    console.result(f"stores    {stores or 'nothing loaded yet; kgbuild load'}")
    console.table(["table", "rows"], list(state["rows"].items()), title="\ntables")
    console.table(["stage", "reason", "rows"], [tuple(row) for row in state["rejects"]], title="\nrejects")


@app.command()
def load(
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    dry_run: DryOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Load even where the store holds this release already.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Load the current release into the graph store: the embedded one, or the Neo4j of store.uri."""
    from kgbuild import console
    from kgbuild.actions import diff_current, load_current

    loaded = _config(config, settings, out)
    if dry_run:
        changes = diff_current(loaded, out)
        if as_json:
            console.as_json(changes)
        else:
            console.table(["what", "kind", "create", "delete"], [list(row.values()) for row in changes])
        return
    report = load_current(loaded, out, force=force, on_progress=_load_note)
    console.as_json(report) if as_json else _print_load(report)


@app.command()
def query(
    cypher: Annotated[str, typer.Argument(help="A Cypher statement that reads.")],
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter: name=JSON value.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
) -> None:
    """Ask the graph in Cypher."""
    from kgbuild import console
    from kgbuild.actions import query_current

    rows = query_current(_config(config, settings, out), out, cypher, dict(_parameter(text) for text in param or []))
    if as_json:
        for row in rows:
            console.as_json(row)
        return
    columns = list(rows[0]) if rows else []
    console.table(columns, [list(row.values()) for row in rows])
    console.note(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")


@app.command()
def show(
    concept: Annotated[str, typer.Argument(help="A concept's label or id.")],
    out: OutOption = Path("out"),
    as_json: JsonOption = False,
) -> None:
    """Show a concept: its counts, broader and narrower concepts, prototypes and example texts."""
    from kgbuild import console
    from kgbuild.actions import show_concept

    card = show_concept(out, concept)
    if as_json:
        console.as_json(card)
        return
    console.result(f"{card['label']}  ({card['concept_id']})")
    console.result(f"{card['n_products']:,} products, {card['n_mentions']:,} mentions")
    console.table(["broader", "rule", "products"], card["broader"], title="\nbroader")
    console.table(["narrower", "rule", "products"], card["narrower"], title="\nnarrower")
    console.table(["rank", "relevance", "redundancy", "picture"], card["prototypes"], title="\nprototypes")
    console.table(["surface form", "text"], card["examples"], title="\nseen as")


@app.command()
def tree(
    out: Annotated[Path, typer.Argument(help="The folder that holds releases.")] = Path("out"),
    below: Annotated[str, typer.Option(help="A concept's label or id; without it, the largest roots.")] = "",
    roots: Annotated[int, typer.Option(help="How many of the largest roots.")] = 10,
    depth: Annotated[int, typer.Option(help="Levels below a root.")] = 3,
    width: Annotated[int, typer.Option(help="Concepts below each, the largest first.")] = 8,
) -> None:
    """Print the hierarchy as a tree: each concept below its one primary hypernym, with its products."""
    from kgbuild import console
    from kgbuild.actions import hierarchy_lines

    for line in hierarchy_lines(out, below, n_roots=roots, depth=depth, width=width):
        console.result(line)


@app.command()
def concepts(
    source: Annotated[Path, typer.Argument(help='JSON Lines with "id", "title", "description".')],
    output: Annotated[Path, typer.Option("--out", "-o", help="JSON Lines with the maximal concepts of each text.")],
    pipeline: Annotated[str, typer.Option(help="The shipped spaCy pipeline, or an installed one.")] = "en_kgbuild",
) -> None:
    """Mine the maximal concepts of texts, without building a graph."""
    from kgbuild import console
    from kgbuild.actions import mine_file

    console.note(f"{mine_file(source, output, pipeline):,} texts -> {output}")


@app.command()
def link(
    texts: Annotated[
        str,
        typer.Argument(
            help='Parquet or JSON Lines with "id" and "text" or "title", "description"; or a text a line; -: stdin.'
        ),
    ],
    out: Annotated[Path, typer.Option("--from", help="The folder that holds releases and the embedded store.")] = Path(
        "out"
    ),
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="JSON Lines; default: the standard output.")
    ] = None,
    min_share: Annotated[
        float,
        typer.Option(help="How often a surface form must be right in the release's texts, 0-1; 0 for search queries."),
    ] = 0.5,
    exact: Annotated[
        bool, typer.Option("--exact", help="Right is only what mining makes of just these words.")
    ] = False,
) -> None:
    """Find the known concepts of a release in new texts or search queries, by automaton."""
    from kgbuild import console
    from kgbuild.tagging import link_file

    count = link_file(texts, output, out, min_share=min_share, exact=exact)
    if output is not None:
        console.note(f"{count:,} records -> {output}")


@app.command()
def synonyms(
    out: Annotated[Path, typer.Argument(help="The folder that holds releases.")] = Path("out"),
    write: Annotated[Path | None, typer.Option("--write", help="Write a file for language.synonyms, to edit.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    config: ConfigOption = None,
    decision: Annotated[str, typer.Option(help="Only these: merged, proposed, kept_apart, by_hand, unknown.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Report which names are one and why: what was merged, what is proposed, what a person decided."""
    from kgbuild import console
    from kgbuild.actions import synonym_file, synonym_rows
    from kgbuild.errors import ConfigError

    if write is not None:
        if write.exists() and not force:
            raise ConfigError(f"{write} exists already", "give --force to overwrite it, or another name")
        write.write_text(synonym_file(_config(config, None, out), out), "utf-8")
        console.result(
            f'wrote {write}; edit it, set language.synonyms = "{write}", then: kgbuild run synonyms --out {out}'
        )
        return
    rows = synonym_rows(out, decision)
    if as_json:
        console.as_json(rows)
        return
    columns = ["decision", "kind", "name", "support", "canonical", "canonical_support", "rule", "evidence"]
    console.table(columns, [[row[name] for name in columns] for row in rows])
    console.note(f"{len(rows):,} decisions")


@app.command()
def embed(
    kind: Annotated[str, typer.Argument(help="texts or images")],
    source: Annotated[Path, typer.Argument(help="Parquet with id and text, or id and image (bytes) or uri.")],
    output: Annotated[
        Path, typer.Option("--out", "-o", help="Parquet with id and embedding (float32, L2-normalised).")
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="kgbuild, an open_clip name, hf-hub:..., or a folder.")
    ] = "kgbuild",
    settings: SetOption = None,
) -> None:
    """Embed texts or pictures with an image-text model."""
    from kgbuild import console
    from kgbuild.actions import embed_to_file

    rows, rejects = embed_to_file(kind, source, model, output, settings or [])
    console.note(f"{rows:,} rows -> {output}")
    for key, reason, detail in rejects[:20]:
        console.note(f"rejected {key}: {reason} {detail}")
    if len(rejects) > 20:
        console.note(f"... and {len(rejects) - 20:,} more")


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="The folder to write the shards to.")],
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the concept-image batches of the current release as sharded files for a trainer."""
    from kgbuild import console
    from kgbuild.learning import export_current

    report = export_current(_config(config, settings, out), out, target)
    console.as_json(report) if as_json else console.table(["", ""], list(report.items()))


@app.command()
def page(
    output: Annotated[Path, typer.Argument(help="The HTML file to write.")] = Path("kgbuild.html"),
    out: OutOption = Path("out"),
) -> None:
    """Write one self-contained HTML page of the current release: hierarchy, pictures, texts, search."""
    from kgbuild import console
    from kgbuild.actions import write_current_page

    report = write_current_page(out, output)
    console.result(
        f"{report['path']}  ({report['n_bytes'] / 1e6:.1f} MB: {report['n_concepts']:,} concepts, "
        f"{report['n_concepts_with_pictures']:,} with pictures)"
    )


@app.command()
def train(
    target: Annotated[Path, typer.Argument(help="The folder for checkpoints, log and the finished model.")],
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    shards: Annotated[
        Path | None, typer.Option(help="Exported shards; default: exported from the current release.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not resume from checkpoints in the folder.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train an image-text model with ITC + CVA on the concept-image batches; resumes where it stopped."""
    from kgbuild import console
    from kgbuild.learning import train_current

    report = train_current(
        _config(config, settings, out), out, target, shards=shards, resume=not fresh, note=console.note
    )
    console.as_json(report) if as_json else console.table(["", ""], list(report.items()))


@app.command("eval")
def evaluate(
    out: OutOption = Path("out"),
    config: ConfigOption = None,
    settings: SetOption = None,
    protocol: Annotated[
        list[str] | None, typer.Option(help="sample, full, title_to_image, category_to_product; may be repeated.")
    ] = None,
    split: Annotated[str, typer.Option(help="Query only products of this split; empty: all.")] = "",
    field: Annotated[
        str, typer.Option(help="Which text stands for a product: title, or another text column.")
    ] = "title",
    attribute: Annotated[
        list[str] | None, typer.Option(help="An attribute that category_to_product asks for, too; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure retrieval with the configured model on the current release."""
    from kgbuild import console
    from kgbuild.actions import evaluate_current

    loaded = _config(config, settings, out)
    protocols = protocol or ["sample", "full"]
    rows = evaluate_current(loaded, out, protocols, split=split, field=field, attributes=attribute or [])
    if as_json:
        for row in rows:
            console.as_json(row)
        return
    columns = ["protocol", "direction", "metric", "value", "n_queries", "gallery"]
    console.table(columns, [[row[name] for name in columns] for row in rows])


@app.command()
def use(
    release_id: Annotated[str, typer.Argument(help="An earlier release, as kgbuild status lists them.")],
    out: OutOption = Path("out"),
) -> None:
    """Make an earlier release the current one (roll back)."""
    from kgbuild import console
    from kgbuild.release import Workspace

    Workspace(out).point_to(release_id)
    console.result(f"current is {release_id}; load it with: kgbuild load --out {out}")


@app.command()
def doctor(out: OutOption = Path("out"), config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check versions, device, Java, models and store; name what is missing and how to get it."""
    from kgbuild import console
    from kgbuild.doctor import examine

    findings = examine(_config(config, None, out), out)
    if as_json:
        console.as_json([finding.__dict__ for finding in findings])
    else:
        console.table(["", "what", "state", "remedy"], [[f.mark, f.what, f.state, f.remedy] for f in findings])
    if any(f.mark == "✗" for f in findings):
        raise typer.Exit(1)


def _config(path: Path | None, settings: list[str] | None, out: Path, *, catalogue: str | None = None) -> Config:
    """The config file named or found; else the settings of the current release; else, for a bare catalogue, a proposal."""
    from kgbuild.actions import find_config

    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    return find_config(path, settings or [], out, catalogue=catalogue)


def _build_and_load(config: Config, out: Path, no_load: bool, as_json: bool, work: Any) -> None:
    from kgbuild import console
    from kgbuild.actions import load_current

    with console.LiveProgress() as progress:
        report: BuildReport = work(progress)
    loaded = None if no_load else load_current(config, out, on_progress=_load_note)
    if as_json:
        console.as_json(_report_as_plain(report) | {"load": loaded})
        return
    _print_report(report)
    if loaded is not None:
        _print_load(loaded)


def _report_as_plain(report: BuildReport) -> dict[str, Any]:
    return {
        "release": report.release.release_id,
        "folder": str(report.release.path),
        "changed": report.changed,
        "seconds": round(report.seconds, 2),
        "stages": [
            {"stage": s.name, "how": s.how, "seconds": round(s.seconds, 2), "rows": s.rows} for s in report.stages
        ],
        "rejects": report.rejects,
        "pruned": list(report.pruned),
    }


def _print_report(report: BuildReport) -> None:
    from kgbuild import console

    rows = [
        (s.name, s.how, round(s.seconds, 1), ", ".join(f"{n:,} {t}" for t, n in s.rows.items() if "/" not in t))
        for s in report.stages
    ]
    console.table(["stage", "how", "seconds", "rows"], rows)
    rejected = ", ".join(f"{count:,} {reason}" for reason, count in report.rejects.items())
    console.result(f"rejects   {rejected or 'none'}")
    verb = "built" if report.changed else "nothing changed; still"
    console.result(f"release   {verb} {report.release.release_id} in {report.seconds:.1f} s: {report.release.path}")


def _print_load(report: dict[str, Any]) -> None:
    from kgbuild import console

    held = ", ".join(f"{count:,} {kind}" for kind, count in {**report["nodes"], **report["edges"]}.items())
    if report["skipped"]:
        console.result(f"store     holds {report['release']} already: {held}")
        return
    console.result(f"store     loaded {report['release']} in {report['seconds']} s: {held}")
    console.result(
        f"          created {report['nodes_created']:,} nodes, {report['edges_created']:,} edges; "
        f"deleted {report['nodes_deleted']:,} nodes, {report['edges_deleted']:,} edges"
    )


def _load_note(kind: str, done: int, total: int) -> None:
    from kgbuild import console

    if done >= total:
        console.note(f"load: {total:,} {kind}")


def _print_plan(planned: Any, as_json: bool) -> None:
    from kgbuild import console

    if as_json:
        console.as_json([item.__dict__ for item in planned])
        return
    console.table(["stage", "would", "because"], [(p.name, p.action, p.reason) for p in planned])


def _parameter(text: str) -> tuple[str, Any]:
    from kgbuild.errors import ConfigError

    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--param takes name=value, not {text!r}", 'for example: --param label="t-shirt"')
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value  # a bare word is a string


def main() -> None:
    """The entry point: known failures become a message and exit status 1, not a traceback."""
    try:
        app()
    except KgbuildError as error:
        from kgbuild import console

        console.failure(str(error))
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
