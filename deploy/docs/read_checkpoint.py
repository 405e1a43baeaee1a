"""The newest whole checkpoint of a folder, verified: read_checkpoint.py DIR. The format: README.md, "Checkpoints"."""
import hashlib, json, pathlib, sys
from safetensors.numpy import load as tensors_of

def sha256(data):
    return hashlib.sha256(data).hexdigest()

def read(path):
    manifest = json.loads(path.read_bytes())
    digest, vectors = manifest.pop("digest"), {}
    if digest != sha256(json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode()):
        raise ValueError("its manifest does not match its own digest")
    for part in manifest["parts"]:
        data = (path.parent / part["key"]).read_bytes()
        if len(data) != part["size"] or sha256(data) != part["sha256"]:
            raise ValueError(f"{part['key']} is not what its manifest names")
        if "vector" in part:
            vectors.setdefault(part["vector"], {}).update(tensors_of(data))
    return manifest, vectors

def newest(folder):
    for path in sorted(pathlib.Path(folder).glob("step-*/manifest.json"), reverse=True):
        try:
            return read(path)
        except (KeyError, ValueError, OSError) as fault:
            print(f"{path.parent.name} is not whole and was passed over: {fault}", file=sys.stderr)
    sys.exit(f"{folder} has no whole checkpoint")

if __name__ == "__main__":
    manifest, vectors = newest(sys.argv[1])
    print(manifest["job"], manifest["step"])
    for vector, tensors in vectors.items():
        for name, values in tensors.items():
            print(vector, name, list(values.shape), sha256(values.tobytes()))
