"""Where the no2sr program is: a setting of Processing for users who do not have it on the PATH."""

from __future__ import annotations

from processing.core.ProcessingConfig import ProcessingConfig, Setting

PROGRAM = "NO2SR_PROGRAM"
_TEXT = "The no2sr program, if it is not on the PATH"


def add_setting(group, icon):
    """Show the setting under Options, Processing, Providers."""
    ProcessingConfig.settingIcons[group] = icon
    ProcessingConfig.addSetting(Setting(group, PROGRAM, _TEXT, "", valuetype=Setting.FILE))
    ProcessingConfig.readSettings()


def remove_setting():
    """Remove the setting; its value is kept for the next time."""
    ProcessingConfig.removeSetting(PROGRAM)


def program_setting():
    """Return what the user chose, or an empty text."""
    return (ProcessingConfig.getSetting(PROGRAM) or "").strip()
