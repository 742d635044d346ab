"""Rules of a file, and what is said of a file that is none."""

import pytest

from mmtbps.errors import BadValue, MissingFile
from mmtbps.search.watching import Rule, read_rules

GOOD = """
- name: red coat
  sentence: a woman in a red coat
  max_false_alarm_rate: 0.001
  where: {camera: [c1, c2], coat: red, frame: 10..}
  cool_down: 60
- {name: any, sentence: somebody, min_score: -1, where: camera=c1}
- {name: sure, sentence: a man in blue, min_probability: 1}
"""


def write(tmp_path, text):
    file = tmp_path / 'rules.yaml'
    file.write_text(text, encoding='utf-8')
    return file


def test_rules_are_read(tmp_path):
    assert read_rules(write(tmp_path, '\ufeff' + GOOD)) == [
        Rule('red coat', 'a woman in a red coat', 'max_false_alarm_rate', .001,
             dict(camera=['c1', 'c2'], coat='red', frame=(10, None)), 60.),
        Rule('any', 'somebody', 'min_score', -1., dict(camera='c1')),
        Rule('sure', 'a man in blue', 'min_probability', 1.)]


@pytest.mark.parametrize('text, said', [
    ('', 'a list of rules is needed'),
    ('name: red', 'a list of rules is needed'),
    ('- red', 'rule 1: a mapping is needed'),
    ('- {name: a, sentence: b, min_score: 0.1, color: red}', "rule 1 ('a'): color: no key"),
    ('- {sentence: b, min_score: 0.1}', 'rule 1: name: a text is needed, got None'),
    ('- {name: a, sentence: " ", min_score: 0.1}', "rule 1 ('a'): sentence: a text is needed"),
    ('- {name: a, sentence: "\\ud800", min_score: 0.1}', 'sentence: a text to search by'),
    ('- {name: a, sentence: b}', 'no bound: one of max_false_alarm_rate'),
    ('- {name: a, sentence: b, min_score: 0.1, min_probability: 0.5}',
     'min_probability and min_score: one of'),
    ('- {name: a, sentence: b, max_false_alarm_rate: 0}', 'a number between 0 and 1, such as'),
    ('- {name: a, sentence: b, max_false_alarm_rate: 1 in 1000}', "got '1 in 1000'"),
    ('- {name: a, sentence: b, min_score: .nan}', 'a number from -1 to 1 is needed, got nan'),
    ('- {name: a, sentence: b, min_score: true}', 'got True'),
    ('- {name: a, sentence: b, min_score: 0, cool_down: -1}', 'cool_down: a number from 0 is'),
    ('- {name: a, sentence: b, min_score: 0, where: camera}', 'where: filter '),
    ('- {name: a, sentence: b, min_score: 0, where: [camera=c1]}', 'where: a filter is a mapping'),
    ('- {name: a, sentence: b, min_score: 0, where: {id: c1}}', "where: 'id' is no filter key"),
    ('- {name: a, sentence: b, min_score: 0, where: frame=x}', 'where: '),
    ('- {name: a, sentence: b, min_score: 0, name: c}', "key 'name' stands twice"),
    ('- {name: a, sentence: b, min_score: 0}\n- {name: a, sentence: c, min_score: 0}',
     "rule 2: name: 'a' is taken"),
    ('- {name: a', 'no YAML'),
    ('- !!python/object/apply:os.system [true]', 'no YAML'),
])
def test_what_is_wrong_is_named_with_file_rule_and_key(tmp_path, text, said):
    file = write(tmp_path, text)
    with pytest.raises(BadValue) as error:
        read_rules(file)
    assert str(error.value).startswith(f'{file}: ') and said in str(error.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path):
    with pytest.raises(MissingFile, match='no such file of rules'):
        read_rules(tmp_path / 'none.yaml')
    with pytest.raises(BadValue, match='a folder'):
        read_rules(tmp_path)
    (tmp_path / 'latin.yaml').write_bytes(b'- name: \xe9\xff')
    with pytest.raises(BadValue, match='no YAML'):
        read_rules(tmp_path / 'latin.yaml')
