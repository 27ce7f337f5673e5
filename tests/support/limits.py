"""How long a test waits for what hangs."""

# Only a deadlock may take so long. A slow or busy machine never does, or its tests would fail without a fault.
HANG_SECONDS = 30 * 60
