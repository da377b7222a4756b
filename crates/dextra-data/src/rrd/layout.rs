//! What the viewer shows beside what: a "blueprint" in Rerun's words, a store of its own in the file.

use super::entity;
use super::table::{Column, Component, Index, Table, f32s, groups, strings, truth, u8s};
use arrow_schema::ArrowError;
use sha2::{Digest, Sha256};

const VIEW_CLASS: Component = Component(
    "rerun.blueprint.archetypes.ViewBlueprint",
    "class_identifier",
    "rerun.blueprint.components.ViewClass",
);
const VIEW_NAME: Component =
    Component("rerun.blueprint.archetypes.ViewBlueprint", "display_name", "rerun.components.Name");
const VIEW_ORIGIN: Component = Component(
    "rerun.blueprint.archetypes.ViewBlueprint",
    "space_origin",
    "rerun.blueprint.components.ViewOrigin",
);
const VIEW_QUERY: Component = Component(
    "rerun.blueprint.archetypes.ViewContents",
    "query",
    "rerun.blueprint.components.QueryExpression",
);
const CONTAINER_KIND: Component = Component(
    "rerun.blueprint.archetypes.ContainerBlueprint",
    "container_kind",
    "rerun.blueprint.components.ContainerKind",
);
const CONTAINER_CONTENTS: Component = Component(
    "rerun.blueprint.archetypes.ContainerBlueprint",
    "contents",
    "rerun.blueprint.components.IncludedContent",
);
const CONTAINER_SHARES: Component = Component(
    "rerun.blueprint.archetypes.ContainerBlueprint",
    "col_shares",
    "rerun.blueprint.components.ColumnShare",
);
const ROOT: Component = Component(
    "rerun.blueprint.archetypes.ViewportBlueprint",
    "root_container",
    "rerun.blueprint.components.RootContainer",
);
const AUTO_VIEWS: Component = Component(
    "rerun.blueprint.archetypes.ViewportBlueprint",
    "auto_views",
    "rerun.blueprint.components.AutoViews",
);

/// Rerun's numbers of containers.
const HORIZONTAL: u8 = 2;
const VERTICAL: u8 = 3;

/// Views that stand one above another.
#[derive(Clone, Debug)]
pub struct Pane {
    /// Its part of the window's width, relative to the other panes'; above zero.
    pub share: f32,
    /// From top to bottom; at least one.
    pub views: Vec<View>,
}

/// A view of one entity and all below it.
#[derive(Clone, Debug)]
pub struct View {
    /// How they are shown.
    pub kind: ViewKind,
    /// The view's title.
    pub name: String,
    /// The entity, as in the calls that record data; `""` or `"/"` for all. Positions are shown in
    /// its frame.
    pub entity: String,
}

/// How a view shows its entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewKind {
    /// Meshes, points, lines and arrows in space.
    Scene,
    /// Scalars as curves over time.
    Plot,
    /// A document.
    Document,
    /// Messages as a list.
    Log,
}

impl ViewKind {
    fn class(self) -> &'static str {
        match self {
            ViewKind::Scene => "3D",
            ViewKind::Plot => "TimeSeries",
            ViewKind::Document => "TextDocument",
            ViewKind::Log => "TextLog",
        }
    }
}

/// What is wrong with a layout for a recording of `entities`, by view if it is one.
pub(super) fn check(panes: &[Pane], entities: &[&str]) -> Result<(), (String, String)> {
    let layout = |problem: &str| Err(("layout".to_owned(), problem.to_owned()));
    if panes.is_empty() || panes.iter().any(|pane| pane.views.is_empty()) {
        return layout("there is no view in it, or a pane without one");
    }
    if panes.iter().any(|pane| !(pane.share.is_finite() && pane.share > 0.0)) {
        return layout("a pane's share is not above zero");
    }
    for view in panes.iter().flat_map(|pane| &pane.views) {
        let at = |problem| (view.name.clone(), format!("view of `{}`: {problem}", view.entity));
        let path = origin(view).map_err(&at)?;
        let inside = |entity: &&&str| {
            entity
                .strip_prefix(&path)
                .is_some_and(|r| path == "/" || r.is_empty() || r.starts_with('/'))
        };
        if !entities.iter().any(|entity| inside(&entity)) {
            return Err(at("nothing is recorded there".to_owned()));
        }
    }
    Ok(())
}

/// The tables of a layout that passed [`check`]. `seed` makes its views' names unique.
pub(super) fn tables(panes: &[Pane], seed: &str) -> Result<Vec<Table>, ArrowError> {
    let mut tables = Vec::new();
    let mut add = |entity: &str, columns| {
        let entity = entity.to_owned();
        tables.push(Table { entity, index: Index::Blueprint, columns });
    };
    let mut contents = Vec::new();
    for (p, pane) in panes.iter().enumerate() {
        let mut views = Vec::new();
        for (v, view) in pane.views.iter().enumerate() {
            let (name, _) = uuid(&format!("{seed} view {p} {v}"));
            // `check` came first, so that the path is one.
            let origin = origin(view).unwrap_or_else(|_| "/".to_owned());
            views.push(format!("view/{name}"));
            add(
                &format!("/view/{name}"),
                vec![
                    Column::one(VIEW_CLASS, strings([view.kind.class()]))?,
                    Column::one(VIEW_NAME, strings([&view.name]))?,
                    Column::one(VIEW_ORIGIN, strings([origin]))?,
                ],
            );
            add(
                &format!("/view/{name}/ViewContents"),
                vec![Column::one(VIEW_QUERY, strings(["$origin/**"]))?],
            );
        }
        let (name, _) = uuid(&format!("{seed} pane {p}"));
        contents.push(format!("container/{name}"));
        add(
            &format!("/container/{name}"),
            vec![
                Column::one(CONTAINER_KIND, u8s([VERTICAL]))?,
                Column::one(CONTAINER_CONTENTS, strings(&views))?,
            ],
        );
    }
    let (name, bytes) = uuid(&format!("{seed} root"));
    add(
        &format!("/container/{name}"),
        vec![
            Column::one(CONTAINER_SHARES, f32s(panes.iter().map(|pane| pane.share)))?,
            Column::one(CONTAINER_KIND, u8s([HORIZONTAL]))?,
            Column::one(CONTAINER_CONTENTS, strings(&contents))?,
        ],
    );
    add(
        "/viewport",
        vec![Column::one(AUTO_VIEWS, truth(false))?, Column::one(ROOT, groups(u8s(bytes), 16)?)?],
    );
    Ok(tables)
}

fn origin(view: &View) -> Result<String, String> {
    if matches!(view.entity.as_str(), "" | "/") {
        return Ok("/".to_owned());
    }
    entity::path(&view.entity)
}

/// A name that is the same for the same `seed`, as text and as bytes.
fn uuid(seed: &str) -> (String, [u8; 16]) {
    let digest = Sha256::digest(seed.as_bytes());
    let mut bytes: [u8; 16] = std::array::from_fn(|i| digest[i]);
    // Version 8 and variant 1 of RFC 9562: a name by a rule of one's own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let text = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    (text, bytes)
}
