"""Hostile annotation files: bytes for the readers that take them, and the reason of the refusal."""

import json

GOOD = dict(image='1.jpg', captions=['A man in a red coat.'], person_id=1, split='train')
_DROP = object()
#: Names of keys that differ between the files.
KEYS = dict(CUHKPEDES=dict(image='file_path', person_id='id'),
            ICFGPEDES=dict(image='file_path', person_id='id'),
            RSTPReid=dict(image='img_path', person_id='id'), TBPSDataset={})
FILES = dict(CUHKPEDES='reid_raw.json', ICFGPEDES='ICFG-PEDES.json', RSTPReid='data_captions.json',
             TBPSDataset='pairs.jsonl')


def record(kind, **changes):
    """Return a record of the keys that a data set's file has."""
    values = {**GOOD, **changes}
    return {KEYS[kind].get(key, key): value for key, value in values.items()
            if value is not _DROP}


def text_of(kind, *records):
    """Return the text of a file, JSON lines or a list."""
    lines = [json.dumps(one) for one in records]
    return '\n'.join(lines) + '\n' if kind == 'TBPSDataset' else f'[{", ".join(lines)}]'


def changed(**changes):
    """Change keys of one of two records."""
    return lambda kind: text_of(kind, record(kind, **changes), record(kind, image='2.jpg')).encode()


def written(key, text):
    """Write the value of a key as it stands."""
    def make(kind):
        content = text_of(kind, record(kind, **{key: '@@'}), record(kind, image='2.jpg'))
        return content.replace('"@@"', text).encode()
    return make


def top(text, encoding='utf-8'):
    return lambda kind: text.encode(encoding)


def encoded(encoding):
    return lambda kind: text_of(kind, record(kind)).encode(encoding)


def keyed_twice(kind):
    content = text_of(kind, record(kind), record(kind, image='2.jpg'))
    name = KEYS[kind].get('person_id', 'person_id')
    return content.replace(f'"{name}": 1', f'"{name}": 1, "{name}": 2', 1).encode()


NO_ID = r"key '(id|person_id)' must be an integer, got"
OUTSIDE = 'leads out of the image folder'

#: Name -> content by data set, reason.
CONTENTS = {
    'empty': (top(''), 'broken JSON|no record in it'),
    'blank': (top('\n \n'), 'broken JSON|no record in it'),
    'empty list': (top('[]'), 'no record in it|expected an object'),
    'UTF-16': (encoded('utf-16'), 'not UTF-8|utf-8'),
    'Latin-1': (lambda kind: text_of(kind, record(kind)).replace('red', 'rosé').encode('latin-1'),
                'not UTF-8|utf-8'),
    'NUL bytes': (lambda kind: bytes(64), 'broken JSON|no record in it'),
    'NUL in the middle': (lambda kind: text_of(kind, record(kind), record(kind)).encode().replace(
        b'}', b'\0}', 1), 'broken JSON'),
    'top-level object': (top('{"a": []}\n{"a": 1}\n'), "expected a list|key 'image' is missing"),
    'top-level number': (top('3\n3\n'), 'expected (a list|an object)'),
    'top-level text': (top('"abc"\n"abc"\n'), 'expected (a list|an object)'),
    'list of lists': (lambda kind: b'[1]\n[2]\n' if kind == 'TBPSDataset' else b'[[1], [2]]',
                      'expected an object'),
    'deep nesting': (top('[' * 100_000 + '\n'), 'nested too deeply|recursion'),
    'deep caption': (written('captions', '[' * 100_000 + ']' * 100_000),
                     'nested too deeply|recursion'),
    'keys twice': (keyed_twice, "key '(id|person_id)' stands twice"),
    'an id of 1e400 digits': (written('person_id', '9' * 5000), '4300 digits'),
    'an id beyond 64 bits': (written('person_id', str(1 << 70)), r'must lie within 2\*\*53'),
    'a negative id beyond': (written('person_id', str(-(1 << 70))), r'must lie within 2\*\*53'),
    'id NaN': (written('person_id', 'NaN'), NO_ID),
    'id Infinity': (written('person_id', '-Infinity'), NO_ID),
    'id 1.0': (written('person_id', '1.0'), NO_ID),
    'id true': (written('person_id', 'true'), NO_ID),
    'id null': (written('person_id', 'null'), NO_ID),
    'id "1"': (written('person_id', '"1"'), NO_ID),
    'no id': (changed(person_id=_DROP), "key '(id|person_id)' is missing"),
    'captions a text': (changed(captions='A man.'), "key 'captions' must be a list, got 'A man.'"),
    'captions an object': (changed(captions={}), "key 'captions' must be a list"),
    'captions null': (changed(captions=None), "key 'captions' must be a list"),
    'split 1': (changed(split=1), "key 'split' must be a string"),
    'split a list': (changed(split=['train']), "key 'split' must be a string"),
    'split Train': (changed(split='Train'), "split 'Train' is not known, write 'train'"),
    'image 3': (changed(image=3), "must be a string, got 3"),
    'image ../x': (changed(image='../x.jpg'), OUTSIDE),
    'image a/../../x': (changed(image='a/../../x.jpg'), OUTSIDE),
    'image /etc/passwd': (changed(image='/etc/passwd'), OUTSIDE),
    'image C:': (changed(image='C:\\x.jpg'), OUTSIDE),
    'image UNC': (changed(image='\\\\server\\share\\x.jpg'), OUTSIDE),
}

#: Name -> content by data set, reason why a record or caption of it is left out, and counted.
LEFT_OUT = {
    'a caption 3': (changed(captions=[3]), 'caption is no text: number 1 is 3'),
    'a caption NaN': (written('captions', '[NaN]'), 'caption is no text: number 1 is nan'),
    'a caption of a lone surrogate': (written('captions', '["A \\ud800 man."]'),
                                      'caption with half a character'),
    'a caption of 10 MB': (changed(captions=['red ' * 2_500_000]),
                           'caption of more than 20,000 letters'),
    'image a folder': (changed(image='folder'), 'missing image: .*folder'),
    'image empty': (changed(image=''), 'missing image'),
    'image .': (changed(image='.'), 'missing image'),
    'image of a zero byte': (written('image', '"1\\u0000.jpg"'), 'missing image'),
    'image of a lone surrogate': (written('image', '"\\ud800.jpg"'), 'missing image'),
    'image of a long name': (changed(image='x' * 5000), 'missing image'),
    'image of a line break': (changed(image='1\n\u001b[31m.jpg'), 'missing image'),
}
