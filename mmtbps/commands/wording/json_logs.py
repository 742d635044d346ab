"""Log lines as JSON objects, one a line, for programs that collect them."""

import json
import logging
import sys
from datetime import datetime, timezone
from typing import TextIO

__all__ = ['JsonFormatter', 'write_json_logs']


class JsonFormatter(logging.Formatter):
    """Formatter of one JSON object a line: time, level, logger, message, and further facts.

    Facts are those that a call gives as ``extra=dict(facts=dict(...))``.

    Example:
        >>> record = logging.LogRecord('page', logging.INFO, '', 0, 'a %s', ('query', ), None)
        >>> record.created, record.facts = 0, dict(seconds=.5)
        >>> print(JsonFormatter().format(record))
        {"time": "1970-01-01T00:00:00.000+00:00", "level": "info", "logger": "page", \
"message": "a query", "seconds": 0.5}
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line; a traceback is the value of ``traceback``."""
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        line = dict(time=moment.isoformat(timespec='milliseconds'), level=record.levelname.lower(),
                    logger=record.name, message=record.getMessage(),
                    **getattr(record, 'facts', {}))
        if record.exc_info:
            line['traceback'] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def write_json_logs(stream: TextIO | None = None) -> None:
    """Write all log lines of the process as JSON, and those of the page from INFO on.

    Args:
        stream: To write to; by default stderr.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], force=True, level=logging.WARNING)
    logging.getLogger('mmtbps').setLevel(logging.INFO)
    logging.captureWarnings(True)
