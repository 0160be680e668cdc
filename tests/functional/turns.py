"""How long the control thread is away. What is judged is processor time, so a busy machine hardly counts; what a virtual one takes away at
times is no fault of the code, which is why a shape may be tried a few times: one that is really too long is so each time.
"""

from rondo import sanitized

# The design's promise is 5 ms; what a sanitizer does to the code has no bound.
LAG_MOST_MS = 10
TRIES = 3


def lag_of(server):
    """Of the last minute or two."""
    return server.ctl_json("status")["control_lag_ms_max"]


def judge(what, shape):
    """`shape` lets it happen to a new server each time and returns the longest turn of its control thread."""
    lags = []
    for _ in range(TRIES):
        lags.append(shape())
        print(f"longest turn of the control thread, {what}: {lags[-1]:.2f} ms")
        if 0 < lags[-1] and (sanitized() or lags[-1] <= LAG_MOST_MS):
            return
    raise AssertionError(f"{what}: {lags}")
