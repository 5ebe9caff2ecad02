//! A library whose root module looks like Ferrule's but for one field's type, as if it had been built against another
//! version of the interface. The tests load it to see that the refusal names that field in one line.

#![allow(non_local_definitions)]

use abi_stable::{
    StableAbi, export_root_module,
    library::RootModule,
    package_version_strings,
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::{RString, RVec},
};

/// Begins as Ferrule's does, but `version` was a number then.
#[repr(C)]
#[derive(StableAbi)]
pub struct Descriptor {
    pub id: RString,
    pub version: u32,
}

/// The root module's name and first function agree.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginLibraryRef)))]
#[sabi(missing_field(panic))]
pub struct PluginLibrary {
    #[sabi(last_prefix_field)]
    pub describe: extern "C" fn() -> RVec<Descriptor>,
}

impl RootModule for PluginLibraryRef {
    abi_stable::declare_root_module_statics! {PluginLibraryRef}

    const BASE_NAME: &'static str = "ferrule_plugin";
    const NAME: &'static str = "ferrule_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

extern "C" fn describe() -> RVec<Descriptor> {
    RVec::new()
}

/// Called by the loader that refuses it.
#[export_root_module]
pub fn root() -> PluginLibraryRef {
    PluginLibrary { describe }.leak_into_prefix()
}
