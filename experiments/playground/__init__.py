"""The playground: the path of every optimizer on known surfaces, run in the reader's browser.

What runs there is no second implementation. `trace` runs the Python class once on numbers that take note
of what is done with them, and what they noted is the program of `playground.js`.
"""
