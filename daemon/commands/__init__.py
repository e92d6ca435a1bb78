"""The commands of ``antiphon``, one file each, imported only when it is the one asked for."""
