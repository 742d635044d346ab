"""Words of a command line: names of commands, answers, errors and notices."""

from .command_names import COMMANDS, Command, CommandParser, add_verb, as_typed
from .json_answers import add_json, answer, json_alone
from .licence_notice import print_model_notice, print_notice
from .printing import as_json, escape_what_cannot_be_printed, word_result
from .user_errors import fail, one_line_errors, word_error, word_notice, word_remedy

__all__ = ['COMMANDS', 'Command', 'CommandParser', 'add_json', 'add_verb', 'answer', 'as_json',
           'as_typed', 'escape_what_cannot_be_printed', 'fail', 'json_alone', 'one_line_errors',
           'print_model_notice', 'print_notice', 'word_error', 'word_notice', 'word_remedy',
           'word_result']
