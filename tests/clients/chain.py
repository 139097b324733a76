"""Checks the hash chain of an event log, using only the contract's description of chain_hash.

Argument: the address of a service. Prints the number of events and the last hash.
"""

import hashlib
import json
import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


def events(address):
    channel = grpc.insecure_channel(address)
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    service = "licet.events.v1.EventService"
    described = pool.FindServiceByName(service).methods_by_name["StreamEvents"]
    request = message_factory.GetMessageClass(described.input_type)
    response = message_factory.GetMessageClass(described.output_type)
    ask = channel.unary_stream(
        f"/{service}/StreamEvents",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    return ask(request(follow=False), timeout=60)


def main(address):
    previous, count = b"", 0
    for entry in events(address):
        event = entry.event
        covered = [
            entry.position,
            event.id,
            event.type,
            event.subject,
            event.account_id,
            event.time.seconds * 1000000 + event.time.nanos // 1000,
            event.caller,
            event.request_id,
            event.method,
            event.why,
            event.outcome,
            event.text_data,
        ]
        text = json.dumps(covered, ensure_ascii=False, separators=(",", ":"))
        expected = hashlib.sha256(previous + text.encode()).digest()
        assert entry.chain_hash == expected, (entry.position, text)
        count += 1
        assert entry.position == count, entry.position
        previous = entry.chain_hash
    print(count, previous.hex())


main(sys.argv[1])
