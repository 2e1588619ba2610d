"""For users without a worker: `python -m flows.serve` keeps a process that runs the nightly build and the weekly training."""

import os

from prefect import serve
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron

from flows.build import build_graph
from flows.evaluate import evaluate_model
from flows.expand import expand_graph
from flows.train import train_on_graph


def main() -> None:
    """Serve all flows; KGBUILD_CONFIG and KGBUILD_OUT say for which catalogue, KGBUILD_TIMEZONE when it is night."""
    where = {"config": os.environ.get("KGBUILD_CONFIG", "kgbuild.toml"), "out": os.environ.get("KGBUILD_OUT", "out")}
    zone = os.environ.get("KGBUILD_TIMEZONE", "UTC")
    # Limits of deployments do not hold for schedules of `serve`; the limit of this process does: one run at a time.
    serve(
        RunnerDeployment.from_flow(
            build_graph, "nightly", parameters=where, schedule=Cron("30 2 * * *", timezone=zone)
        ),
        RunnerDeployment.from_flow(
            train_on_graph, "weekly", parameters=where, schedule=Cron("0 4 * * 0", timezone=zone)
        ),
        RunnerDeployment.from_flow(expand_graph, "on-demand", parameters={**where, "new_products": ""}),
        RunnerDeployment.from_flow(evaluate_model, "on-demand", parameters=where),
        limit=1,
    )


if __name__ == "__main__":
    main()
