from ieat_data.cli.show import escape


def test_corpus_text_cannot_drive_the_terminal() -> None:
    shown = escape("hi \x1b[31mred\x1b[0m [bold]x[/bold] \x07 好的\u202e")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert "\\[bold]" in shown
    assert "好的" in shown
