"""What a row is: Arrow schemas, the sample, audio, emotions."""
