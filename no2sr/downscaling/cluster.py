"""Blocks on a Dask cluster: worker processes of this machine, or a scheduler that is running.

Everything between the processes is Dask's, restarts after a death among it. The blocks are small,
so they travel with their tasks and the results are written here; a worker loads the network with
its first block.
"""

from __future__ import annotations

import socket
from concurrent.futures import CancelledError, Executor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from no2sr.core.errors import ClusterError, MissingDependencyError, SettingsError
from no2sr.downscaling.run import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from distributed import Client

__all__ = ["cluster", "lend_cluster"]

PATIENCE = 5  # seconds until a scheduler that does not answer is given up
DEATHS = 3  # of workers over one block, after which it is to blame


@contextmanager
def cluster(*, workers: int | None = None, scheduler: str | None = None) -> Iterator[Workers]:
    """Lend the workers of a cluster, for `no2sr.downscale_file` and `no2sr.reconstruct`.

    Parameters
    ----------
    workers : int, optional
        Start this many worker processes here, of one thread each.
    scheduler : str, optional
        Use the workers of this scheduler instead, ``tcp://host:port``. They need no2sr installed,
        and the folder of a model that is not a shipped one.

    Yields
    ------
    Workers

    Raises
    ------
    ClusterError
        If the scheduler does not answer, has no workers or is lost, or if workers died again and
        again.
    SettingsError
        If not exactly one of both is given.
    MissingDependencyError
        If Dask distributed is not installed.
    """
    distributed = _check(workers, scheduler)
    with ExitStack() as stack:
        address: Any = scheduler
        if address is None:
            address = distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
            )
            stack.callback(_close, address)
        client = stack.enter_context(_client(distributed, address))
        threads = sum(client.nthreads().values())
        with _explain_losses(distributed):
            yield Workers(_Submitter(client), threads)


def lend_cluster(
    *, workers: int | None = None, scheduler: str | None = None
) -> AbstractContextManager[Workers | None]:
    """Lend the workers of a cluster if any were asked for; what can be refused is refused now.

    Parameters
    ----------
    workers, scheduler
        As for `cluster`; None for both if no cluster was asked for.

    Returns
    -------
    context manager
        Nothing is started before it is entered. It gives None if no cluster was asked for.

    Raises
    ------
    ClusterError
        If the scheduler does not answer or has no workers.
    SettingsError
        If both are given, or the number of workers is not positive.
    MissingDependencyError
        If Dask distributed is not installed.
    """
    if workers is None and scheduler is None:
        return nullcontext()
    distributed = _check(workers, scheduler)
    if scheduler is not None:
        with _client(distributed, scheduler):
            pass
    return cluster(workers=workers, scheduler=scheduler)


def _check(workers: int | None, scheduler: str | None) -> Any:
    """Refuse what cannot be asked for, and return the module of Dask."""
    if (workers is None) == (scheduler is None):
        raise SettingsError(
            f"workers={workers!r} and scheduler={scheduler!r} were given; give exactly one of them"
        )
    if workers is not None and not (isinstance(workers, int) and workers > 0):
        raise SettingsError(f"workers is {workers!r}; give a positive number of processes")
    try:
        import distributed
    except ImportError as error:
        raise MissingDependencyError(
            "the package distributed, which runs workers and schedulers, is not installed; run pip "
            "install 'no2sr[dask]'"
        ) from error
    return distributed


def _close(local: Any) -> None:
    """End a cluster; what Dask says of a worker just starting must not hide what happened."""
    with suppress(Exception):
        local.close()


class _Submitter(Executor):
    """Sends blocks to a client's scheduler; Dask's own executor waits without end for a lost one.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self.client = client

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Send a call, and return what has its `result`."""
        if self.client.status != "running":
            raise CancelledError
        future = self.client.submit(fn, *args, **kwargs, pure=False, retries=DEATHS)
        return _Awaited(self.client, future)


class _Awaited:
    """The future of a block, which ends with the connection to the scheduler."""

    def __init__(self, client: Client, future: Any) -> None:
        self.client, self.future = client, future

    def result(self) -> Any:
        """Wait for the block."""
        while True:
            try:
                return self.future.result(timeout=1)
            except TimeoutError:
                if self.future.done():  # it finished just as the wait ended, or that was its error
                    return self.future.result()
                if self.client.status != "running":
                    raise CancelledError from None

    def cancel(self) -> None:
        """Let the block be, if anybody is there to be told so."""
        if self.client.status == "running":
            self.future.cancel()


def _client(distributed: Any, scheduler: Any) -> Client:
    """Connect to a scheduler, or raise an error after a short wait."""
    try:
        _check_answers(scheduler)
        # Not the default: if it failed, all later work of Dask in this process would fail, too.
        client: Client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # a server of another kind makes this fail anywhere
        raise ClusterError(
            f"the scheduler {scheduler} does not answer; check the address, which is like "
            "tcp://host:8786, or start a scheduler with: dask scheduler"
        ) from error
    if not client.nthreads():
        client.close()
        raise ClusterError(
            f"the scheduler {scheduler} has no workers; start some with: dask worker {scheduler}"
        )
    return client


def _check_answers(scheduler: Any) -> None:
    """Check that a server speaks first, as Dask's do over TCP; else its client would hang."""
    if not str(scheduler).startswith("tcp://"):
        return
    host, _, port = str(scheduler).removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE) as connection:
        if not connection.recv(1):
            raise ConnectionError("the connection was closed")


@contextmanager
def _explain_losses(distributed: Any) -> Iterator[None]:
    """Describe what happened to the workers or the scheduler."""
    try:
        yield
    except distributed.KilledWorker as error:
        raise ClusterError(
            f"several workers died while computing the same block ({error}); give them more memory "
            "and run the same command to resume"
        ) from error
    except (CancelledError, distributed.CancelledError, distributed.comm.CommClosedError) as error:
        raise ClusterError(
            "the connection to the scheduler was lost; restart it and run the same command to "
            "resume"
        ) from error
