"""The Lua of this bridge: an action script for Ardour's window, which headless Ardour runs as well."""

from __future__ import annotations

#: Makes the two tracks where they are missing, connects every port that is there, and turns the clock on.
ACTION = """\
ardour {
  ["type"] = "EditorAction",
  name = "Connect Antiphon",
  category = "Antiphon",
  license = "MIT",
  author = "Antiphon",
  description = [[
Routes this session to Antiphon and back: the track Player plays into it, the track Antiphon takes what it plays,
and MIDI clock goes to it. Tracks that are missing are made. Run it again whenever Antiphon was started anew.]]
}

function factory () return function ()
  local function tell (text)
    if LuaDialog then
      LuaDialog.Message ("Connect Antiphon", text, LuaDialog.MessageType.Warning, LuaDialog.ButtonType.Close):run ()
    else
      error (text, 0)
    end
  end

  if not Session:engine ():running () then
    tell ("Ardour has lost JACK. Connect it again (Window, Audio/MIDI Setup), then run this again.")
    return
  end

  local client_in, client_out = "Antiphon in:Antiphon in", "Antiphon out:Antiphon out"

  local function track (name)
    local route = Session:route_by_name (name)
    if not route:isnil () then return route end
    local midi = ARDOUR.ChanCount (ARDOUR.DataType ("midi"), 1)
    local made = Session:new_midi_track (midi, midi, false, ARDOUR.PluginInfo (), nil, nil, 1, name,
      ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, false)
    return made:front ()
  end

  local player, antiphon = track ("Player"), track ("Antiphon")
  ARDOUR.config ():set_send_midi_clock (true)
  local missing = {}

  local function connect (port, other)
    if not port:connected_to (other) and port:connect (other) ~= 0 then missing[#missing + 1] = other end
  end

  connect (player:output ():nth (0), client_in)
  connect (antiphon:input ():nth (0), client_out)
  connect (Session:engine ():get_port_by_name ("MIDI Clock out"), client_in)

  if #missing > 0 then
    tell ("Not there: " .. table.concat (missing, ", ") .. ". Start `antiphon jam`, then run this again.")
  end
end end
"""
