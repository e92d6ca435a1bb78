"""Ardour 7: a session that is routed to Antiphon and back, and a script that routes one you have.

Start Antiphon first, then make a session and open it in Ardour (on JACK, or PipeWire's JACK)::

    antiphon jam --mode accompany --clock midi
    python -m antiphon.bridges.ardour --dir ~/Sessions --name Duet
    ardour ~/Sessions/Duet

The session has two MIDI tracks and a loop over the first four bars:

* ``Player`` is you: give it your keyboard as input and arm it (or set its monitoring to In), or give it a region;
  its output goes to ``Antiphon in``.
* ``Antiphon`` is what it plays: its input comes from ``Antiphon out``. Arm it to record; put an instrument on
  it to hear it. Parts come on channels of their own, drums on channel 10.
* Ardour's ``MIDI Clock out`` goes to ``Antiphon in``, so that it follows start, stop, locate and loop.

Two things Ardour keeps to itself:

* Whether it sends MIDI clock is a preference of the program, not of the session, and is off at first:
  Preferences > Transport > Generate > MIDI Beat Clock (Mclk) Generator > "Enable Mclk generator".
* It connects ports when it opens a session, forgets a connection whose other side goes away, and then saves the
  session without it. So start Antiphon before you open the session, and when you started it anew, run the script
  ``Connect Antiphon``, which turns the clock on too (and makes the tracks in any session that lacks them)::

      python -m antiphon.bridges.ardour --action > ~/.config/ardour7/scripts/connect_antiphon.lua

  then bind it to a button: Edit > Lua Scripts > Script Manager > Action Scripts.

Measured with Ardour 7.3, and why Antiphon and this bridge are as they are:

* It sends START, CONTINUE and STOP, and clock only while rolling; the first tick is on the position itself. A
  loop that wraps sends STOP, then START (from zero) or song position and CONTINUE.
* Its song position counts MIDI clocks, where the standard says sixteenths, so it is six times too far. A bar line
  stays a bar line; a locate into the middle of a bar puts Antiphon's bar somewhere else.
* A locate while it records throws the recording away: stop first. (Its own window does not let you.)
* A loop that is recorded is one file, with one region for every lap, the later above the earlier. It has to be
  armed before the loop is started; while it records, a loop cannot be turned on.
* It can lead JACK's transport instead (``antiphon jam --clock jack``; in Ardour: Transport Masters > JACK, and the
  session's sync button): bars, tempo and locates into the middle of a bar then arrive exactly. It does not loop then,
  and without its window it threw away what it was recording when the transport stopped: record with MIDI clock.
* What it records lies within -0.9 and 2.0 ms of Antiphon's own log (JACK at 48 kHz, 64 frames).
"""

from antiphon.bridges.ardour.action import ACTION
from antiphon.bridges.ardour.session import create_session
from antiphon.bridges.ardour.shell import ArdourError, ArdourShell, find_ardour

__all__ = ["ACTION", "ArdourError", "ArdourShell", "create_session", "find_ardour"]
