"""The lab: two emulated hosts between which guests with VFs are migrated."""
