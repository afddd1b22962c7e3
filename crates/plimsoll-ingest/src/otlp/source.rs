//! Who sent it: service, version and instance from the resource of a request, and the texts of
//! attributes. Used by the metrics and the traces.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use plimsoll_model::{InstanceName, ServiceName, Version};

use crate::names::Names;
use crate::rejection::{Reason, Rejection};

/// Attributes of one data point or span; the limit of the OpenTelemetry SDKs.
const ATTRIBUTES_MAX: usize = 128;

/// Longest text of an attribute that is read, in bytes. Those that tell metrics apart are short.
const TEXT_BYTES_MAX: usize = 1024;

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) service: ServiceName,
    pub(super) version: Option<Version>,
    pub(super) instance: InstanceName,
}

/// Where `service.instance.id` is not set, the pod is the instance: a sender in Kubernetes gets
/// its name from the collector. Rejected: the host's name, which all replicas on it share.
const INSTANCE_KEYS: [&str; 2] = ["service.instance.id", "k8s.pod.name"];

impl Source {
    pub(super) fn of(resource: Option<&Resource>, names: &mut Names) -> Result<Self, Rejection> {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        let text = |key: &str| find(attributes, key).unwrap_or_default();
        let service = names.service(&text("service.name"))?;
        let version = names.version(&text("service.version"))?;
        let ids = INSTANCE_KEYS.iter().filter_map(|key| find(attributes, key));
        let id = ids.into_iter().find(|id| !id.trim().is_empty()).unwrap_or_default();
        let instance = names.instance(&id)?;
        Ok(Self { service, version, instance })
    }
}

/// The text of the attribute `key`, where there is one with a simple value.
pub(super) fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<Cow<'a, str>> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    text(attribute.value.as_ref()?)
}

/// All attributes with a simple value, for the catalogue; or the refusal of what has too many.
pub(super) fn texts(attributes: &[KeyValue]) -> Result<Vec<(&str, Cow<'_, str>)>, Rejection> {
    if attributes.len() > ATTRIBUTES_MAX {
        let detail = format!("{}, at most {ATTRIBUTES_MAX} are read", attributes.len());
        return Err(Rejection::new(Reason::TooManyAttributes, &detail));
    }
    let simple = attributes
        .iter()
        .filter_map(|attribute| Some((attribute.key.as_str(), text(attribute.value.as_ref()?)?)));
    simple
        .map(|(key, text)| {
            if key.len() > TEXT_BYTES_MAX || text.len() > TEXT_BYTES_MAX {
                return Err(Rejection::new(Reason::AttributeTooLong, key));
            }
            Ok((key, text))
        })
        .collect()
}

fn text(value: &AnyValue) -> Option<Cow<'_, str>> {
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(Cow::Borrowed(text)),
        Value::BoolValue(truth) => Some(Cow::Owned(truth.to_string())),
        Value::IntValue(number) => Some(Cow::Owned(number.to_string())),
        Value::DoubleValue(number) => Some(Cow::Owned(number.to_string())),
        // No name and no condition is written as one of these.
        Value::ArrayValue(_)
        | Value::KvlistValue(_)
        | Value::BytesValue(_)
        | Value::StringValueStrindex(_) => None,
    }
}
