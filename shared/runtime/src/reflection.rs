//! Server reflection, v1 and v1alpha: the contract with its comments and options. An unknown name gets an
//! error within the stream, which stays open; tonic's own service would end the stream.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    OneofDescriptorProto,
};
use tonic::Code;

/// A descriptor set with undecoded files: decoding and encoding would lose unknown options.
#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// All descriptors, by the keys of reflection requests.
#[derive(Debug, Default)]
pub(crate) struct Index {
    services: Vec<String>,
    files: HashMap<String, Vec<u8>>,
    /// File names by the full names of symbols.
    symbols: HashMap<String, String>,
    /// File names by extended message and extension number.
    extensions: BTreeMap<(String, i32), String>,
}

impl Index {
    /// An index of encoded descriptor sets that lists `services`.
    pub(crate) fn new(services: &[String], sets: &[&[u8]]) -> Result<Self, prost::DecodeError> {
        let mut index = Self {
            services: services.to_vec(),
            ..Self::default()
        };
        for set in sets {
            for raw in FileSet::decode(*set)?.file {
                let file = FileDescriptorProto::decode(raw.as_slice())?;
                index.add_file(&file, raw);
            }
        }
        Ok(index)
    }

    fn add_file(&mut self, file: &FileDescriptorProto, raw: Vec<u8>) {
        let (name, package) = (file.name().to_owned(), file.package());
        // Several sets contain google/protobuf; the contract's comes first and has comments.
        if self.files.contains_key(&name) {
            return;
        }
        for message in &file.message_type {
            self.add_message(&name, package, message);
        }
        for each in &file.enum_type {
            self.add_enum(&name, package, each);
        }
        for extension in &file.extension {
            self.add_extension(&name, package, extension);
        }
        for service in &file.service {
            let full_name = self.add_symbol(&name, package, service.name());
            for method in &service.method {
                self.add_symbol(&name, &full_name, method.name());
            }
        }
        self.files.insert(name, raw);
    }

    fn add_symbol(&mut self, file: &str, scope: &str, name: &str) -> String {
        let full_name = if scope.is_empty() {
            name.to_owned()
        } else {
            format!("{scope}.{name}")
        };
        self.symbols.insert(full_name.clone(), file.to_owned());
        full_name
    }

    fn add_message(&mut self, file: &str, scope: &str, message: &DescriptorProto) {
        let full_name = self.add_symbol(file, scope, message.name());
        for nested in &message.nested_type {
            self.add_message(file, &full_name, nested);
        }
        for each in &message.enum_type {
            self.add_enum(file, &full_name, each);
        }
        for extension in &message.extension {
            self.add_extension(file, &full_name, extension);
        }
        let fields = message.field.iter().map(FieldDescriptorProto::name);
        let oneofs = message.oneof_decl.iter().map(OneofDescriptorProto::name);
        for name in fields.chain(oneofs) {
            self.add_symbol(file, &full_name, name);
        }
    }

    fn add_enum(&mut self, file: &str, scope: &str, each: &EnumDescriptorProto) {
        let full_name = self.add_symbol(file, scope, each.name());
        for value in &each.value {
            self.add_symbol(file, &full_name, value.name());
        }
    }

    fn add_extension(&mut self, file: &str, scope: &str, extension: &FieldDescriptorProto) {
        self.add_symbol(file, scope, extension.name());
        let extended = extension.extendee().trim_start_matches('.').to_owned();
        let key = (extended, extension.number());
        self.extensions.insert(key, file.to_owned());
    }

    fn find_file(&self, name: &str) -> Result<Vec<u8>, Missing> {
        let found = self.files.get(name).cloned();
        found.ok_or_else(|| Missing::new(format!("unknown file {name:?}")))
    }

    fn find_symbol(&self, symbol: &str) -> Result<Vec<u8>, Missing> {
        match self.symbols.get(symbol) {
            Some(file) => self.find_file(file),
            None => Err(Missing::new(format!("unknown symbol {symbol:?}"))),
        }
    }

    fn find_extension(&self, extended: &str, number: i32) -> Result<Vec<u8>, Missing> {
        match self.extensions.get(&(extended.to_owned(), number)) {
            Some(file) => self.find_file(file),
            None => Err(Missing::new(format!(
                "unknown extension {number} of {extended:?}"
            ))),
        }
    }

    fn extension_numbers(&self, extended: &str) -> Result<Vec<i32>, Missing> {
        self.find_symbol(extended)?;
        let all = self.extensions.keys();
        Ok(all
            .filter(|(of, _)| of == extended)
            .map(|(_, number)| *number)
            .collect())
    }
}

/// An error response.
struct Missing {
    code: Code,
    message: String,
}

impl Missing {
    fn new(message: String) -> Self {
        Self {
            code: Code::NotFound,
            message,
        }
    }
}

/// Both versions of the protocol have the same messages in different packages.
macro_rules! reflection {
    ($(#[$about:meta])* $version:ident) => {
        $(#[$about])*
        pub(crate) mod $version {
            use std::sync::Arc;

            use futures::StreamExt;
            use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};
            use tonic_reflection::pb::$version::{
                ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse,
                ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse,
                ServiceResponse,
                server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
                server_reflection_server::{ServerReflection, ServerReflectionServer},
            };

            use super::{Index, Missing};

            pub(crate) struct Rpc(Arc<Index>);

            pub(crate) fn serve(index: &Arc<Index>) -> ServerReflectionServer<Rpc> {
                ServerReflectionServer::new(Rpc(Arc::clone(index)))
            }

            #[tonic::async_trait]
            impl ServerReflection for Rpc {
                type ServerReflectionInfoStream = BoxStream<ServerReflectionResponse>;

                async fn server_reflection_info(
                    &self,
                    request: Request<Streaming<ServerReflectionRequest>>,
                ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
                    let index = Arc::clone(&self.0);
                    let requests = request.into_inner();
                    let responses = requests.map(move |next| next.map(|request| respond(&index, request)));
                    Ok(Response::new(Box::pin(responses)))
                }
            }

            fn respond(index: &Index, request: ServerReflectionRequest) -> ServerReflectionResponse {
                let found = find(index, request.message_request.as_ref());
                let response = found.unwrap_or_else(|Missing { code, message }| {
                    MessageResponse::ErrorResponse(ErrorResponse {
                        error_code: code.into(),
                        error_message: message,
                    })
                });
                ServerReflectionResponse {
                    valid_host: request.host.clone(),
                    original_request: Some(request),
                    message_response: Some(response),
                }
            }

            fn find(
                index: &Index,
                request: Option<&MessageRequest>,
            ) -> Result<MessageResponse, Missing> {
                let file = |file: Vec<u8>| {
                    MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
                        file_descriptor_proto: vec![file],
                    })
                };
                match request {
                    None => Err(Missing {
                        code: Code::InvalidArgument,
                        message: "the request has no message_request".to_owned(),
                    }),
                    Some(MessageRequest::FileByFilename(name)) => index.find_file(name).map(file),
                    Some(MessageRequest::FileContainingSymbol(symbol)) => {
                        index.find_symbol(symbol).map(file)
                    }
                    Some(MessageRequest::FileContainingExtension(request)) => index
                        .find_extension(&request.containing_type, request.extension_number)
                        .map(file),
                    Some(MessageRequest::AllExtensionNumbersOfType(extended)) => {
                        let numbers = index.extension_numbers(extended)?;
                        Ok(MessageResponse::AllExtensionNumbersResponse(
                            ExtensionNumberResponse {
                                base_type_name: extended.clone(),
                                extension_number: numbers,
                            },
                        ))
                    }
                    Some(MessageRequest::ListServices(_)) => {
                        let names = index.services.iter().cloned();
                        Ok(MessageResponse::ListServicesResponse(ListServiceResponse {
                            service: names.map(|name| ServiceResponse { name }).collect(),
                        }))
                    }
                }
            }
        }
    };
}

reflection!(
    /// `grpc.reflection.v1`.
    v1
);
reflection!(
    /// `grpc.reflection.v1alpha`, for older tools.
    v1alpha
);
