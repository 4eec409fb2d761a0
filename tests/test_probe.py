"""The probe does the work that it counts, and as fast as a machine can."""

import numpy as np
import pytest

from fastmlp.kernels.layout import aligned_zeros
from fastmlp.kernels.probe import Probe, multiply_add
from fastmlp.kernels.team import Member, run_team
from fastmlp.kernels.tiles import Lanes, target


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_kernel_adds_every_factor_in_every_lane(n_threads):
    lanes = Lanes(2)
    units = target().block_rows(2) * lanes.units
    total = np.full((n_threads, units + 1), np.nan, np.float32)
    factors = aligned_zeros((7,))
    factors[:] = [1, 2, 3, -4, 5, 6, 0.5]

    def work(member: Member) -> None:
        multiply_add(total[member.rank], factors, 3, member, lanes)

    run_team(n_threads, work)
    np.testing.assert_array_equal(total[:, :units], 3 * 13.5 / 2)
    assert np.isnan(total[:, units]).all()  # nothing beyond the block is written


@pytest.mark.alone
def test_the_rate_counts_vector_operations():
    rate = Probe(1).gflops()
    # A scalar loop reaches two operations in a cycle; 1 GHz is slower than any machine that this runs on.
    assert 2 * target().width < rate < 1000
