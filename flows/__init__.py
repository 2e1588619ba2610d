"""When things run: Prefect flows over the plain functions that the command line calls. Prefect is imported nowhere else."""
