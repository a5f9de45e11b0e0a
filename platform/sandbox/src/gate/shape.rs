//! What can be said of a component without compiling it: full validation with exactly the proposals that plugins get,
//! its imports, and caps on what it is made of.

use super::{
    code::Code,
    report::{Report, Shape},
};
use crate::{contract::is_offered, limits::Limits, profile, text::clean};
use wasmparser::{ComponentTypeRef, Encoding, FunctionBody, Parser, Payload, TypeBounds, Validator, WasmFeatures};

const FUNCTIONS_MAX: u64 = 10_000;
const LOCALS_MAX: u64 = 4_096;
const FUNCTION_BYTES_MAX: u64 = 256 << 10;
const DATA_BYTES_MAX: u64 = 1 << 20;
const PAGE_BYTES: u64 = 64 << 10;
/// Custom sections above this share of the file, and this size, are worth a word.
const CUSTOM_SHARE: u64 = 4;
const CUSTOM_BYTES: u64 = 64 << 10;

/// The proposals that plugins get: what every machine computes alike. `profile.rs` says the same to wasmtime.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Validates, measures and caps. Answers whether the component may be compiled.
pub(super) fn check(bytes: &[u8], limits: &Limits, report: &mut Report) -> bool {
    if let Err(error) = Validator::new_with_features(FEATURES).validate_all(bytes) {
        // What passes with every proposal is no damaged file.
        let known = Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).is_ok();
        let code = if known { Code::Feature } else { Code::Invalid };
        report.find(code, clean(&error.to_string(), 300));
        return false;
    }
    let (shape, imports) = match measure(bytes) {
        Ok(measured) => measured,
        Err(error) => {
            report.find(Code::Invalid, clean(&error, 300));
            return false;
        }
    };
    report.shape = Some(shape);
    report.contract = contract_of(&imports);
    for import in imports.iter().filter(|import| !is_offered(import)) {
        let ours = import.starts_with("marque:plugin/");
        report.find(if ours { Code::ContractVersion } else { Code::ForeignImport }, clean(import, 100));
    }
    caps(&shape, limits, report);
    if shape.custom_bytes > CUSTOM_BYTES && shape.custom_bytes.saturating_mul(CUSTOM_SHARE) > report.bytes {
        report.find(Code::NotStripped, format!("{} of {} bytes", shape.custom_bytes, report.bytes));
    }
    report.accepted
}

/// The version of the contract that a component is built for, as its imports say: major and minor.
fn contract_of(imports: &[String]) -> Option<String> {
    let version = imports.iter().find_map(|import| import.strip_prefix("marque:plugin/")?.split_once('@'))?.1;
    let mut parts = version.split('.');
    let (major, minor) = (parts.next()?, parts.next()?);
    Some(clean(&format!("{major}.{minor}"), 16))
}

fn caps(shape: &Shape, limits: &Limits, report: &mut Report) {
    let table = profile::TABLE_ELEMENTS as u64;
    for (code, what, has, most) in [
        (Code::TooManyFunctions, "functions", shape.functions, FUNCTIONS_MAX),
        (Code::FunctionTooLarge, "local variables", shape.locals_max, LOCALS_MAX),
        (Code::FunctionTooLarge, "bytes of one function", shape.function_bytes_max, FUNCTION_BYTES_MAX),
        (Code::TooManyTables, "table entries", shape.table_entries, table),
        (Code::MemoryTooLarge, "bytes of memory at the start", shape.memory_bytes, limits.memory_bytes as u64),
        (Code::DataTooLarge, "bytes of constant data", shape.data_bytes, DATA_BYTES_MAX),
        (Code::TooManyModules, "modules", shape.modules, u64::from(profile::CORE_INSTANCES_PER_COMPONENT)),
    ] {
        if has > most {
            report.find(code, format!("{has} {what}; the limit is {most}"));
        }
    }
}

/// Reads the sections of a component and of all modules in it; answers what it imports as well.
fn measure(bytes: &[u8]) -> Result<(Shape, Vec<String>), String> {
    let (mut shape, mut imports, mut depth) = (Shape::default(), Vec::new(), 0_u32);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|e| e.to_string())? {
            Payload::Version { encoding, .. } => {
                depth += 1;
                shape.modules += u64::from(encoding == Encoding::Module);
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|e| e.to_string())?;
                    // A name for a type that stands elsewhere brings nothing in.
                    if !matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))) {
                        imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::CodeSectionEntry(body) => function(&body, &mut shape)?,
            Payload::TableSection(tables) => {
                for table in tables {
                    let initial = table.map_err(|e| e.to_string())?.ty.initial;
                    shape.table_entries = shape.table_entries.saturating_add(initial);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let pages = memory.map_err(|e| e.to_string())?.initial;
                    shape.memory_bytes = shape.memory_bytes.saturating_add(pages.saturating_mul(PAGE_BYTES));
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    shape.data_bytes += segment.map_err(|e| e.to_string())?.data.len() as u64;
                }
            }
            Payload::CustomSection(section) => shape.custom_bytes += section.data().len() as u64,
            _ => {}
        }
    }
    Ok((shape, imports))
}

fn function(body: &FunctionBody<'_>, shape: &mut Shape) -> Result<(), String> {
    let mut locals = 0_u64;
    for group in body.get_locals_reader().map_err(|e| e.to_string())? {
        let (count, _) = group.map_err(|e| e.to_string())?;
        locals = locals.saturating_add(u64::from(count));
    }
    shape.functions += 1;
    shape.locals_max = shape.locals_max.max(locals);
    shape.function_bytes_max = shape.function_bytes_max.max(body.as_bytes().len() as u64);
    Ok(())
}
