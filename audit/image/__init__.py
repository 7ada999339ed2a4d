"""Images as bytes and names: media types, references, manifests. Bytes in, values out; nothing is fetched here."""
