//! Reflection as tools use it: many requests on one stream. An unknown name gets an error response and the
//! stream continues; the types of error details are served.

use licet_contracts::METHODS;
use tonic::Code;
use tonic_reflection::pb::v1::{
    ExtensionRequest, ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::harness::{Backend, on_both_databases, world::World};

on_both_databases![
    what_is_not_there_is_answered_and_the_stream_goes_on,
    what_errors_carry_is_described,
];

/// Sends all questions on one stream and returns the answers.
async fn ask(world: &World, questions: Vec<MessageRequest>) -> Vec<MessageResponse> {
    let mut client = ServerReflectionClient::new(world.orders_channel());
    let requests = questions
        .into_iter()
        .map(|question| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        });
    let requests: Vec<_> = requests.collect();
    let answers = client.server_reflection_info(tokio_stream::iter(requests.clone()));
    let mut answers = answers.await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.original_request.as_ref(), requests.get(seen.len()));
        seen.push(answer.message_response.unwrap());
    }
    assert_eq!(seen.len(), requests.len());
    seen
}

fn is_missing(answer: &MessageResponse) -> bool {
    matches!(answer, MessageResponse::ErrorResponse(error)
        if error.error_code == i32::from(Code::NotFound) && !error.error_message.is_empty())
}

fn is_file(answer: &MessageResponse) -> bool {
    matches!(answer, MessageResponse::FileDescriptorResponse(found)
        if found.file_descriptor_proto.len() == 1)
}

async fn what_is_not_there_is_answered_and_the_stream_goes_on(backend: Backend) {
    let world = World::start(backend).await;
    let roles = |number| {
        MessageRequest::FileContainingExtension(ExtensionRequest {
            containing_type: "google.protobuf.MethodOptions".to_owned(),
            extension_number: number,
        })
    };
    let answers = ask(
        &world,
        vec![
            MessageRequest::FileContainingSymbol("licet.orders.v1.Nonsense".to_owned()),
            MessageRequest::FileByFilename("nonsense.proto".to_owned()),
            roles(7),
            MessageRequest::AllExtensionNumbersOfType("licet.orders.v1.Nonsense".to_owned()),
            MessageRequest::FileContainingSymbol("licet.orders.v1.OrderService".to_owned()),
            MessageRequest::AllExtensionNumbersOfType("google.protobuf.MethodOptions".to_owned()),
            MessageRequest::ListServices(String::new()),
        ],
    )
    .await;
    for missing in &answers[..4] {
        assert!(is_missing(missing), "{missing:?}");
    }
    assert!(is_file(&answers[4]));
    let MessageResponse::AllExtensionNumbersResponse(numbers) = &answers[5] else {
        panic!("{:?}", answers[5]);
    };
    assert_eq!(
        numbers.extension_number.len(),
        1,
        "the option that names roles"
    );
    let file = ask(&world, vec![roles(numbers.extension_number[0])]).await;
    assert!(is_file(&file[0]));
    let MessageResponse::ListServicesResponse(listed) = &answers[6] else {
        panic!("{:?}", answers[6]);
    };
    let names: Vec<_> = listed.service.iter().map(|it| it.name.as_str()).collect();
    let own = METHODS.iter().filter(|method| {
        let packages = ["/licet.orders.", "/licet.operations.", "/licet.events."];
        packages.iter().any(|own| method.path.starts_with(own))
    });
    for method in own {
        let (service, _) = method.path[1..].split_once('/').unwrap();
        assert!(names.contains(&service), "{service}: {names:?}");
    }
}

/// Tools decode error details with the types that reflection serves.
async fn what_errors_carry_is_described(backend: Backend) {
    let world = World::start(backend).await;
    let types = [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "google.rpc.PreconditionFailure",
        "google.rpc.QuotaFailure",
        "google.rpc.RetryInfo",
        "google.rpc.Help",
        "google.rpc.Status",
    ];
    let asked = types.map(|name| MessageRequest::FileContainingSymbol(name.to_owned()));
    for (name, answer) in types.iter().zip(ask(&world, asked.to_vec()).await) {
        assert!(is_file(&answer), "{name}: {answer:?}");
    }
}
