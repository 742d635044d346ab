"""Plans of captions to tell anew: train alone, pictures of a generation too."""

import pytest

from mmtbps.generation.planning.retell_planner import RetellPlanner
from mmtbps.records import PairRecord


def test_a_plan_is_of_train_alone_and_of_generated_pictures_too():
    train = PairRecord('1.jpg', ('A man.', ' '), 3, 'train')
    made = PairRecord('images/a.png', ('A red coat.',), 9, 'train', source='1.jpg')
    jobs = RetellPlanner().plan([train, made], 'x')
    assert jobs[0].source['captions'] == ['A man.'] and jobs[1].source['made_from'] == '1.jpg'
    assert len(RetellPlanner(max_images=1).plan([train, made], 'x')) == 1
    assert RetellPlanner().check([train, made]) == '2 images with 2 captions'
    for wrong in (dict(split='test'), dict(image='../1.jpg')):
        with pytest.raises(ValueError):
            RetellPlanner().plan([PairRecord(**{
                'image': '1.jpg', 'captions': ('A.',), 'person_id': 1, 'split': 'train',
                **wrong})], 'x')
    with pytest.raises(ValueError, match='max_images'):
        RetellPlanner(max_images=0)
