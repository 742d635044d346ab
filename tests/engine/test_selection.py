"""Words on how a checkpoint was chosen: never more than it says itself."""

import pytest

from mmtbps.engine.selection import describe_selection

HASH = 'ab' * 32
BEST_OF = ['t2i/R1', 'test', HASH, 'cd' * 32]


def checkpoint(epoch=3, max_epochs=3, best_of=BEST_OF, **rest):
    return dict(meta=dict(epoch=epoch, iter=30), message_hub=dict(runtime_info=dict(
        max_epochs=max_epochs, max_iters=1000, **(dict(best_of=best_of) if best_of else {}))),
        **rest)


@pytest.mark.parametrize('name, content, expected', [
    ('runs/best_t2i_R1_epoch_2.pth', checkpoint(2),
     'selected on test (sha256 abababababab, cdcdcdcdcdcd) by t2i/R1'),
    ('best_t2i_R1_epoch_2.pth', checkpoint(2, best_of=['t2i/R1', 'val']),
     'selected on val by t2i/R1'),
    # The last epoch that is the best one at the same time is selected.
    ('best_t2i_R1_epoch_3.pth', checkpoint(3, best_of=None), 'unknown'),
    ('best_t2i_mAP_epoch_3.pth', checkpoint(3), 'unknown'),  # another metric than noted
    ('epoch_3.pth', checkpoint(3), 'last epoch, not selected'),
    ('epoch_2.pth', checkpoint(2), 'unknown'),  # picked by somebody, by what?
    ('iter_1000.pth', dict(checkpoint(0), meta=dict(epoch=0, iter=1000)),
     'last epoch, not selected'),
    ('last.pth', checkpoint(3, optimizer={}), 'last epoch, not selected'),
    ('last.pth', checkpoint(3), 'unknown'),  # perhaps a renamed best one
    ('epoch_3.pth', {}, 'unknown'), ('model.safetensors', dict(weight=1), 'unknown'),
    ('epoch_3.pth', dict(meta=None, message_hub=None), 'unknown')])
def test_a_checkpoint_is_described_by_what_it_holds(name, content, expected):
    assert describe_selection(name, content) == expected
