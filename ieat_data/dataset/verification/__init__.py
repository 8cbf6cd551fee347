"""The parts of `ieat verify`: the manifest's form, samples, the folder, the work folder."""
