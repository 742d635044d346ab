"""Templates: what is put into them stays text, and nothing is left out unnoticed."""

import jinja2
import pytest
from markupsafe import Markup

from mmtbps.markup import load_template


@pytest.fixture
def template(tmp_path):
    def make(text, name='page.html'):
        (tmp_path / name).write_text(text, encoding='utf-8')
        return load_template(tmp_path / name)
    return make


@pytest.mark.parametrize('value, shown', [
    ('<b>', '&lt;b&gt;'), ('a "b" \'c\' &', 'a &#34;b&#34; &#39;c&#39; &amp;'), (7, '7'),
    ('a\u202eb', r'a\u202eb'), ('a\x1b[31mb', r'a\x1b[31mb'), (Markup('<i>'), '<i>')])
def test_what_is_put_in_stays_text(template, value, shown):
    assert template('<p title="{{ x }}">').render(x=value) == f'<p title="{shown}">'


def test_what_is_not_given_is_an_error(template):
    with pytest.raises(jinja2.UndefinedError, match='x'):
        template('{{ x }}').render()


def test_templates_of_one_folder_see_each_other(template):
    template('{% macro bold(x) %}<b>{{ x }}</b>{% endmacro %}', 'parts.html')
    page = template("{% from 'parts.html' import bold %}{{ bold('<') }}")
    assert page.render() == '<b>&lt;</b>'
