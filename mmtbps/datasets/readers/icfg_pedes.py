"""Reader of ICFG-PEDES."""

from mmtbps.registry import DATASETS

from .cuhk_pedes import CUHKPEDES


@DATASETS.register_module()
class ICFGPEDES(CUHKPEDES):
    """Reader of `ICFG-PEDES <https://arxiv.org/abs/2107.12666>`_, records as in CUHK-PEDES.

    One caption an image; ids count from 0. There is no val split: by default a tenth of the
    people of train is held out as ``val`` and is missing from ``train``; ``holdout=0`` trains on
    all of train. The folders ``imgs/train`` and ``imgs/test`` are not the split. Arguments as in
    :class:`TBPSDataset`.
    """

    dataset_name = 'ICFG-PEDES'
    ann_files = ('ICFG-PEDES.json', 'ICFG_PEDES.json')
    how_to_get = ('ICFG-PEDES is given out on request by the authors of SSAN, see '
                  'https://github.com/zifyloo/SSAN; its images come from MSMT17. '
                  'docs/guides/prepare_data.md shows the folders.')
    published_sizes = {'train': (3102, 34674, 34674), 'test': (1000, 19848, 19848)}
    default_holdout = 0.1
