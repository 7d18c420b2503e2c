"""What every domain of the service stands on: settings, database, keys, blobs, problems, telemetry."""
