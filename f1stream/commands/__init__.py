"""The commands' options and help texts, by subject.

These modules import only the standard library, typer and each other at the top: ``f1stream --help`` reads all of
them. A command imports what it runs when it is called.
"""
