"""Where the no2sr program is: a setting of Processing, for those whose PATH does not name it."""

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
    """Take the setting away; its value stays for the next time."""
    ProcessingConfig.removeSetting(PROGRAM)


def program_setting():
    """Return what the user chose, or nothing."""
    return (ProcessingConfig.getSetting(PROGRAM) or "").strip()
