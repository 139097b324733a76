"""The README's walk by a third-party client: grpcio, with every message built from reflection.

Arguments: address of Orders, account id, a PEM file to write the certificate to.
"""

import subprocess
import sys
import uuid

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class Client:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def call(self, service, method, **fields):
        described = self.pool.FindServiceByName(service).methods_by_name[method]
        request = message_factory.GetMessageClass(described.input_type)
        response = message_factory.GetMessageClass(described.output_type)
        ask = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return ask(json_format.ParseDict(fields, request()), timeout=30)


def sign(names, file):
    """Signs a real certificate for the names with openssl."""
    sans = ",".join(f"DNS:{name}" for name in names)
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    subprocess.run(
        [*command.split(), "-keyout", "/dev/null", "-out", file, "-subj", f"/CN={names[0]}"]
        + ["-addext", f"subjectAltName={sans}"]
        + ["-addext", "basicConstraints=critical,CA:FALSE"],
        check=True,
        capture_output=True,
    )
    with open(file, encoding="ascii") as pem:
        return pem.read()


def main(address, account_id, file):
    client = Client(address)
    services = client.database.get_services()
    assert "licet.orders.v1.OrderService" in services, services
    orders = "licet.orders.v1.OrderService"
    names = ["example.com", "www.example.com", "shop.example.com"]
    order = client.call(
        orders,
        "PlaceOrder",
        account_id=account_id,
        product_id="multi-domain-dv",
        term_months=12,
        common_name=names[0],
        domains=names[1:],
        server_software="nginx",
        request_id=str(uuid.uuid4()),
    ).order
    certificate = client.call(
        "licet.orders.v1.CertificateService",
        "RecordIssuance",
        order_id=order.order_id,
        certificate_pem=sign(names, file),
        request_id=str(uuid.uuid4()),
    ).certificate
    assert list(certificate.names) == sorted(names), certificate
    client.call(
        "licet.clock.v1.ClockService", "AdvanceTime", months=6, request_id=str(uuid.uuid4())
    )
    change = {"order_id": order.order_id, "add_domains": ["api.example.com"]}
    preview = client.call(orders, "UpdateDomains", validate_only=True, **change)
    assert preview.quote.total.value == "24.50", preview
    done = client.call(
        orders,
        "UpdateDomains",
        quote_id=preview.quote.quote_id,
        request_id=str(uuid.uuid4()),
        **change,
    )
    for line in done.quote.lines:
        print(line.explanation)
    print("charged", done.quote.total.value, done.quote.total.currency_code)

    # A client can read an error's details like a response.
    try:
        client.call(orders, "GetOrder", order_id="nonsense")
    except grpc.RpcError as error:
        print("refused", error.code().name)


if __name__ == "__main__":
    main(*sys.argv[1:])
