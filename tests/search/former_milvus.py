"""A collection as versions before this one made it, in words of pymilvus alone."""

import hashlib
import json

from pymilvus import DataType, MilvusClient


def client_of(address):
    """Client of a server on this machine."""
    return MilvusClient(address, grpc_options={'grpc.enable_http_proxy': 0})


def make_former(address, name, fingerprint, rows):
    """Make a collection of one nullable column a fact, and put entries with their vectors in."""
    client = client_of(address)
    text = json.dumps(fingerprint)
    schema = client.create_schema(description=text)
    schema.add_field('key', DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field('vector', DataType.FLOAT_VECTOR, dim=fingerprint['dim'])
    for column in ('camera', 'track', 'path'):
        schema.add_field(column, DataType.VARCHAR, nullable=True, max_length=16384)
    schema.add_field('time', DataType.DOUBLE, nullable=True)
    schema.add_field('frame', DataType.INT64, nullable=True)
    schema.add_field('extra', DataType.JSON)
    schema.add_field('entry', DataType.JSON)
    index = client.prepare_index_params()
    index.add_index('vector', index_type='FLAT', metric_type='COSINE', params={})
    client.create_collection(name, schema=schema, index_params=index,
                             consistency_level='Strong',
                             properties={'mmtbps.fingerprint': text})
    client.upsert(name, [
        dict(key=hashlib.sha256(entry.id.encode()).hexdigest(), vector=vector,
             camera=entry.camera, track=entry.track, path=entry.path, time=entry.time,
             frame=entry.frame, extra=dict(entry.extra), entry=dict(
                 id=entry.id, path=entry.path, size=entry.size, sha256=entry.sha256,
                 camera=entry.camera, time=entry.time, track=entry.track, frame=entry.frame,
                 box=entry.box and list(entry.box), extra=dict(entry.extra),
                 mtime_ns=entry.mtime_ns))
        for entry, vector in zip(*rows, strict=True)])
    client.close()
