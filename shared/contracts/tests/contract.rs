//! Checks conventions of the contract: roles, repeatable requests, paging and comments. Reads the descriptor set
//! that reflection serves, which is what clients see.

use std::collections::BTreeSet;

use licet_contracts::{
    FILE_DESCRIPTOR_SET, Listing, METHODS, Mutation,
    billing::v1::{CreateAccountRequest, CreateQuoteRequest, ListInvoicesRequest},
    roles,
    types::v1::{RefusalReason, Role},
};
use prost_reflect::{
    DescriptorPool, Kind, MethodDescriptor, prost_types::source_code_info::Location,
};

#[expect(
    clippy::expect_used,
    reason = "a test that cannot read its input has failed"
)]
fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the descriptor set decodes")
}

fn methods(pool: &DescriptorPool) -> Vec<MethodDescriptor> {
    pool.services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// Whether a method changes something, judged by its verb. A bulk stream is idempotent by record instead (SL-14).
fn mutates(method: &MethodDescriptor) -> bool {
    let reads = [
        "Find", "Get", "List", "Preview", "Render", "Stream", "Watch",
    ];
    let by_record = ["IngestCertificates"];
    !reads.iter().any(|verb| method.name().starts_with(verb)) && !by_record.contains(&method.name())
}

#[test]
fn every_method_is_in_the_table_and_open_to_the_operator() {
    let pool = pool();
    let declared: BTreeSet<String> = methods(&pool).iter().map(path).collect();
    let listed: BTreeSet<String> = METHODS
        .iter()
        .map(|method| method.path.to_owned())
        .collect();
    assert_eq!(declared, listed);
    assert!(METHODS.is_sorted_by(|a, b| a.path < b.path));
    for method in METHODS {
        assert!(
            !method.roles.contains(&Role::Unspecified),
            "{}",
            method.path
        );
        assert!(method.roles.contains(&Role::Operator), "{}", method.path);
        assert_eq!(roles(method.path), Some(method.roles));
    }
}

#[test]
fn the_table_has_the_roles_of_the_contract() {
    assert_eq!(
        roles("/licet.billing.v1.AccountService/Deposit"),
        Some(&[Role::Operator, Role::Finance][..])
    );
    assert_eq!(
        roles("/licet.orders.v1.CertificateService/RecordIssuance"),
        Some(&[Role::Operator, Role::CertificateAuthority][..])
    );
    assert_eq!(roles("/grpc.health.v1.Health/Check"), None);
}

/// An auditor may change nothing.
#[test]
fn no_mutation_is_open_to_an_auditor() {
    for method in methods(&pool()) {
        let open = roles(&path(&method)).is_some_and(|roles| roles.contains(&Role::Auditor));
        assert!(!(open && mutates(&method)), "{}", method.full_name());
    }
}

/// BL-2: every mutation, and no other method, has a `request_id`; only mutations have `validate_only`.
#[test]
fn bl_2_only_mutations_have_a_request_id() {
    for method in methods(&pool()) {
        let request = method.input();
        let text = |name: &str, kind: Kind| {
            request
                .get_field_by_name(name)
                .is_some_and(|field| field.kind() == kind && !field.is_list())
        };
        assert_eq!(
            text("request_id", Kind::String),
            mutates(&method),
            "{}",
            method.full_name()
        );
        if request.get_field_by_name("validate_only").is_some() {
            assert!(text("validate_only", Kind::Bool), "{}", method.full_name());
            assert!(mutates(&method), "{}", method.full_name());
        }
    }
}

#[test]
fn a_mutation_returns_and_clears_its_request_id() {
    let mut request = CreateQuoteRequest {
        request_id: "d6f0f1c1-4b0b-4df4-9d9a-6f2c1f6f2a11".to_owned(),
        validate_only: true,
        ..CreateQuoteRequest::default()
    };
    assert_eq!(request.request_id(), "d6f0f1c1-4b0b-4df4-9d9a-6f2c1f6f2a11");
    assert!(request.is_validate_only());
    request.clear_request_id();
    assert_eq!(request.request_id(), "");
    assert!(!CreateAccountRequest::default().is_validate_only());
}

/// All listings have the same paging fields.
#[test]
fn lists_are_paged() {
    for method in methods(&pool()) {
        // The few options of one order are computed for each request and need no pages.
        let lists = ["Find", "List"]
            .iter()
            .any(|verb| method.name().starts_with(verb));
        if !lists || method.name() == "ListAdditionalLicenseOptions" {
            continue;
        }
        for field in ["page_size", "page_token"] {
            assert!(
                method.input().get_field_by_name(field).is_some(),
                "{}",
                method.full_name()
            );
        }
        let next = method.output().get_field_by_name("next_page_token");
        assert!(next.is_some(), "{}", method.full_name());
    }
}

/// `grpcurl describe` is the manual: everything that a client can name has a comment in the descriptor set.
#[test]
fn everything_that_reflection_serves_has_a_comment() {
    let mut uncommented = Vec::new();
    for file in pool()
        .files()
        .filter(|file| file.package_name().starts_with("licet."))
    {
        let proto = file.file_descriptor_proto();
        let locations = proto
            .source_code_info
            .as_ref()
            .map_or(&[][..], |info| &info.location);
        let mut need = |at: Vec<i32>, name: String| {
            let is_comment = |location: &&Location| {
                location.path == at && !location.leading_comments().trim().is_empty()
            };
            if !locations.iter().any(|location| is_comment(&location)) {
                uncommented.push(name);
            }
        };
        for (m, message) in (0..).zip(&proto.message_type) {
            need(vec![4, m], message.name().to_owned());
            for (f, field) in (0..).zip(&message.field) {
                need(
                    vec![4, m, 2, f],
                    format!("{}.{}", message.name(), field.name()),
                );
            }
        }
        for (e, values) in (0..).zip(&proto.enum_type) {
            need(vec![5, e], values.name().to_owned());
            for (v, value) in (0..).zip(&values.value) {
                need(vec![5, e, 2, v], value.name().to_owned());
            }
        }
        for (s, service) in (0..).zip(&proto.service) {
            need(vec![6, s], service.name().to_owned());
            for (m, method) in (0..).zip(&service.method) {
                need(
                    vec![6, s, 2, m],
                    format!("{}.{}", service.name(), method.name()),
                );
            }
        }
    }
    assert!(uncommented.is_empty(), "without a comment: {uncommented:?}");
}

/// The reason in `ErrorInfo` is the enum value's name without its prefix.
#[test]
fn refusal_reasons_have_their_prefix() {
    let reason = RefusalReason::QuoteStale.as_str_name();
    assert_eq!(reason.strip_prefix("REFUSAL_REASON_"), Some("QUOTE_STALE"));
    assert_eq!(
        RefusalReason::from_str_name(reason),
        Some(RefusalReason::QuoteStale)
    );
}

/// A page token is bound to all fields but the two of paging.
#[test]
fn clearing_the_page_leaves_the_listing() {
    let whole = ListInvoicesRequest {
        account_id: "acct_1".to_owned(),
        state: 1,
        ..ListInvoicesRequest::default()
    };
    let mut page = ListInvoicesRequest {
        page_size: 7,
        page_token: "next".to_owned(),
        ..whole.clone()
    };
    assert_eq!((page.page_size(), page.page_token()), (7, "next"));
    page.clear_page();
    assert_eq!(page, whole);
}
