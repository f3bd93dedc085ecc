"""Values of the environment that no text for people may have in it."""

from __future__ import annotations

import json

from webapi.voice_node.errors import describe
from webapi.voice_node.errors.hidden_values import hide, without_hidden
from webapi.voice_node.node.log_lines import hider

KEY = 'sk-"ä\\0123'


def test_a_value_is_hidden_however_it_is_spelled() -> None:
    hide({"A_KEY": KEY, "A_SHORT_ONE": "en"})
    for spelled in (KEY, repr(KEY), json.dumps(KEY), json.dumps({"a": KEY}, ensure_ascii=False)):
        assert "sk-" not in without_hidden(f"the key {spelled} is refused")
    assert describe(RuntimeError(f"the key {KEY} is open")) == "RuntimeError: the key ${A_KEY} is open"
    assert hider([])(json.dumps({"message": KEY})) == '{"message": "${A_KEY}"}'


def test_a_short_value_is_hidden_only_where_it_is_known_to_be() -> None:
    hide({"A_SHORT_ONE": "en"})
    assert without_hidden("open") == "open"
    assert without_hidden("'en' is no mode", {"A_SHORT_ONE": "en"}) == "'${A_SHORT_ONE}' is no mode"
