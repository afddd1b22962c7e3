//! Live objects by type at one moment. Names, counts and sizes; never a value.

use plimsoll_model::{Bytes, Capture, Span, TypeCount};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shape::{self, ShapeError, format_time};

/// Live objects of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TypeCountShape {
    pub name: String,
    pub instances: u64,
    pub bytes: u64,
}

/// Live objects by type of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptureShape {
    pub instance: String,
    pub at: String,
    pub pause_ms: i64,
    pub types: Vec<TypeCountShape>,
}

impl From<&TypeCount> for TypeCountShape {
    fn from(count: &TypeCount) -> Self {
        let TypeCount { name, instances, bytes } = count;
        Self { name: name.clone(), instances: *instances, bytes: bytes.0 }
    }
}

impl TryFrom<TypeCountShape> for TypeCount {
    type Error = ShapeError;
    fn try_from(shape: TypeCountShape) -> Result<Self, ShapeError> {
        Ok(Self { name: shape.name, instances: shape.instances, bytes: Bytes(shape.bytes) })
    }
}

impl From<&Capture> for CaptureShape {
    fn from(capture: &Capture) -> Self {
        let Capture { instance, at, pause, types } = capture;
        Self {
            instance: instance.to_string(),
            at: format_time(*at),
            pause_ms: pause.as_millis(),
            types: types.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<CaptureShape> for Capture {
    type Error = ShapeError;
    fn try_from(shape: CaptureShape) -> Result<Self, ShapeError> {
        Ok(Self {
            instance: shape::name("capture.instance", &shape.instance)?,
            at: shape::time("capture.at", &shape.at)?,
            pause: Span::from_millis(shape.pause_ms),
            types: shape::all(shape.types)?,
        })
    }
}
