"""LoRAs in a loaded model: read and compared with it, kept in memory, added to its layers."""
