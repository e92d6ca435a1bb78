"""The real-time process: ports, time, modes, plan, scheduler, control, journal."""
