"""Names of labels of the public sets, and the part of each."""

import pytest

from mmtbps.errors import BadValue
from mmtbps.generation.evidence.base import PARTS
from mmtbps.generation.evidence.part_names import part_table

SETS = dict(
    LIP={'Background': 'background', 'Hat': 'hat', 'Hair': 'hair', 'Glove': 'other',
         'Sunglasses': 'face', 'Upper-clothes': 'upper', 'Dress': 'full',
         'Coat': 'upper', 'Socks': 'other', 'Pants': 'lower', 'Jumpsuits': 'full',
         'Scarf': 'other', 'Skirt': 'lower', 'Face': 'face', 'Left-arm': 'skin',
         'Right-leg': 'skin', 'Left-shoe': 'shoes', 'Right-shoe': 'shoes'},
    CIHP={'Torso-skin': 'skin', 'Upper-clothes': 'upper', 'Left-leg': 'skin'},
    fashionpedia={'unlabelled': 'background', 'shirt, blouse': 'upper', 'jacket': 'upper',
                  'top, t-shirt, sweatshirt': 'upper', 'cardigan': 'upper', 'shorts': 'lower',
                  'tights, stockings': 'other', 'bag, wallet': 'bag', 'glasses': 'face',
                  'headband, head covering, hair accessory': 'other', 'sleeve': 'upper',
                  'dress': 'full', 'shoe': 'shoes'},
    sapiens={'Face_Neck': 'face', 'Left_Lower_Arm': 'skin', 'Right_Foot': 'skin',
             'Upper_Clothing': 'upper', 'Lower_Clothing': 'lower', 'Left_Shoe': 'shoes',
             'Right_Sock': 'other', 'Upper_Lip': 'face', 'Apparel': 'other'})


@pytest.mark.parametrize('name', SETS)
def test_names_of_public_sets(name):
    labels = SETS[name]
    table = part_table(dict(enumerate(labels)))
    assert {label: PARTS[table[i]] for i, label in enumerate(labels)} == labels


def test_words_inside_others_are_not_taken_for_parts():
    for label in ('person', 'chair', 'backdrop', 'hairdryer', 'Torso', 'LABEL_0', ''):
        with pytest.raises(BadValue, match='no part is known for'):
            part_table({0: label})


def test_own_names_must_be_labels_and_parts():
    assert part_table({0: 'bg', 3: 'Hat'}, dict(bg='background', Hat='other')).tolist() == [
        0, 0, 0, PARTS.index('other')]
    with pytest.raises(BadValue, match="labels names 'Torso', but the model has Hat"):
        part_table({0: 'Hat'}, dict(Torso='skin'))
    with pytest.raises(BadValue, match="no part is called 'cap'; there are background, hair"):
        part_table({0: 'Hat'}, dict(Hat='cap'))
