//! Compiles the contract under `proto/` without protoc: messages, clients, servers, the descriptor set, the table of
//! methods and roles, and the `Mutation` and `Listing` implementations. Must fail on a method without roles.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use prost_reflect::{
    DescriptorPool, ExtensionDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value,
};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", root.display());

    let mut files = Vec::new();
    collect_protos(&root, &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([&root])?;
    compiler
        .include_source_info(true)
        .include_imports(true)
        .open_files(&files)?;

    // Reflection serves these bytes. Only the compiler's own encoding preserves comments and our method option.
    fs::write(
        out.join("licet.descriptors"),
        compiler.encode_file_descriptor_set(),
    )?;
    tonic_prost_build::configure()
        .btree_map(".")
        .generate_default_stubs(true)
        .compile_fds(compiler.file_descriptor_set())?;

    let pool = compiler.descriptor_pool();
    fs::write(out.join("methods.rs"), method_table(&pool)?)?;
    fs::write(out.join("mutations.rs"), mutation_impls(&pool)?)?;
    fs::write(out.join("listings.rs"), listing_impls(&pool)?)?;
    Ok(())
}

fn collect_protos(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_protos(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    Ok(())
}

/// The source of the `METHODS` table, sorted by path for binary search.
fn method_table(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let option = pool
        .get_extension_by_name("licet.type.v1.roles")
        .ok_or("the contract has no method option licet.type.v1.roles")?;
    let mut rows = Vec::new();
    for service in pool.services() {
        for method in service.methods() {
            let path = format!("/{}/{}", service.full_name(), method.name());
            let roles = role_variants(&method, &option).map_err(|why| format!("{path} {why}"))?;
            let reads_stream = method.is_client_streaming();
            let streams = reads_stream || method.is_server_streaming();
            let mutates = method.input().get_field_by_name("request_id").is_some();
            let lists = method.input().get_field_by_name("page_token").is_some();
            rows.push((path, roles, streams, reads_stream, mutates, lists));
        }
    }
    rows.sort();
    let mut table = String::from("&[\n");
    for (path, roles, streams, reads_stream, mutates, lists) in rows {
        writeln!(
            table,
            "    Method {{ path: {path:?}, roles: &[{}], streams: {streams}, \
                 reads_stream: {reads_stream}, mutates: {mutates}, lists: {lists} }},",
            roles.join(", ")
        )?;
    }
    table.push(']');
    Ok(table)
}

fn role_variants(
    method: &MethodDescriptor,
    option: &ExtensionDescriptor,
) -> Result<Vec<String>, String> {
    let kind = option.kind();
    let names = kind
        .as_enum()
        .ok_or("has a role option that is not an enum")?;
    let options = method.options();
    let value = options.get_extension(option);
    let roles = value.as_list().unwrap_or_default();
    if roles.is_empty() {
        return Err("has no roles: add option (licet.type.v1.roles)".to_owned());
    }
    let mut variants = Vec::new();
    for role in roles {
        let number = Value::as_enum_number(role).unwrap_or_default();
        let name = names
            .get_value(number)
            .filter(|_| number != 0)
            .ok_or_else(|| format!("has the unknown role {number}"))?;
        let variant = format!("Role::{}", variant_of(name.name(), "ROLE_"));
        if variants.contains(&variant) {
            return Err(format!("has the role {} twice", name.name()));
        }
        variants.push(variant);
    }
    Ok(variants)
}

/// The name of prost's variant: `CertificateAuthority` for `ROLE_CERTIFICATE_AUTHORITY`.
fn variant_of(value_name: &str, prefix: &str) -> String {
    let words = value_name.strip_prefix(prefix).unwrap_or(value_name);
    words
        .split('_')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_owned(), rest.to_ascii_lowercase()]
        })
        .collect()
}

/// The request messages with a field of that name, sorted by name.
fn requests_with(pool: &DescriptorPool, field: &str) -> Vec<MessageDescriptor> {
    let mut requests: Vec<_> = pool
        .services()
        .flat_map(|service| {
            service
                .methods()
                .map(|method| method.input())
                .collect::<Vec<_>>()
        })
        .filter(|request| request.get_field_by_name(field).is_some())
        .collect();
    requests.sort_by(|a, b| a.full_name().cmp(b.full_name()));
    requests
}

/// One `Listing` implementation for each request message that has a `page_token`.
fn listing_impls(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    for request in requests_with(pool, "page_token") {
        writeln!(
            text,
            "impl Listing for {}::{} {{\n    \
                 fn page_size(&self) -> i32 {{ self.page_size }}\n    \
                 fn page_token(&self) -> &str {{ &self.page_token }}\n    \
                 fn clear_page(&mut self) {{ self.page_size = 0; self.page_token.clear(); }}\n\
             }}",
            module_of(request.package_name())?,
            request.name(),
        )?;
    }
    Ok(text)
}

/// One `Mutation` implementation for each request message that has a `request_id`.
fn mutation_impls(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let requests = requests_with(pool, "request_id");
    let mut text = String::new();
    for request in requests {
        let validate_only = match request.get_field_by_name("validate_only") {
            Some(_) => "self.validate_only",
            None => "false",
        };
        let subject = match subject_field(&request) {
            Some(field) => format!("Some(({field:?}, self.{field}.as_str()))"),
            None => "None".to_owned(),
        };
        writeln!(
            text,
            "impl Mutation for {}::{} {{\n    \
                 fn request_id(&self) -> &str {{ &self.request_id }}\n    \
                 fn clear_request_id(&mut self) {{ self.request_id.clear(); }}\n    \
                 fn is_validate_only(&self) -> bool {{ {validate_only} }}\n    \
                 fn subject(&self) -> Option<(&'static str, &str)> {{ {subject} }}\n\
             }}",
            module_of(request.package_name())?,
            request.name(),
        )?;
    }
    Ok(text)
}

/// The field that names the request's subject: its first id. Not `product_id`, because a product belongs to no
/// account.
fn subject_field(request: &MessageDescriptor) -> Option<String> {
    request
        .fields()
        .filter(|field| field.kind() == Kind::String && !field.is_list())
        .map(|field| (field.number(), field.name().to_owned()))
        .filter(|(_, name)| {
            name.ends_with("_id") && !matches!(name.as_str(), "request_id" | "product_id")
        })
        .min()
        .map(|(_, name)| name)
}

/// The module of a package: `crate::billing::v1` for `licet.billing.v1`, with `types` for the keyword `type`.
fn module_of(package: &str) -> Result<String, String> {
    let area = package
        .strip_prefix("licet.")
        .ok_or_else(|| format!("{package} does not begin with licet."))?;
    let modules: Vec<_> = area
        .split('.')
        .map(|part| if part == "type" { "types" } else { part })
        .collect();
    Ok(format!("crate::{}", modules.join("::")))
}
