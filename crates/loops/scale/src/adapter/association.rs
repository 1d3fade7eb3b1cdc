//! Which label of a series names which object, and the other way round.

use std::collections::BTreeMap;

use regex::Regex;

use super::config::ResourceMapping;
use super::template::{Template, TemplateError, Value};
use super::{ResourceMapper, go};
use apimachinery::resources::GroupResource;

/// The two directions between labels and resources.
#[derive(Debug, Clone)]
pub struct Association {
    label_to_resource: BTreeMap<String, GroupResource>,
    resource_to_label: BTreeMap<GroupResource, String>,
    template: Option<LabelTemplate>,
}

#[derive(Debug, Clone)]
struct LabelTemplate {
    template: Template,
    pattern: Regex,
}

impl LabelTemplate {
    fn new(text: &str) -> Result<Self, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        let pattern = label(&template, "(?P<group>.+?)", "(?P<resource>.+?)").map_err(|error| error.to_string())?;
        let pattern = go::regex(&format!("^{pattern}$"))?;
        if !pattern.capture_names().any(|name| name == Some("resource")) {
            return Err("it must contain <<.Resource>>".to_owned());
        }
        Ok(Self { template, pattern })
    }

    fn resource_of(&self, label: &str, mapper: &ResourceMapper) -> Option<GroupResource> {
        let captures = self.pattern.captures(label)?;
        let group = captures.name("group").map_or("", |group| group.as_str());
        mapper.normalised(group, captures.name("resource")?.as_str())
    }
}

fn label(template: &Template, group: &str, resource: &str) -> Result<String, TemplateError> {
    template.execute(&Value::record([("Group", group.into()), ("Resource", resource.into())]))
}

impl Association {
    /// Compiles a mapping.
    ///
    /// # Errors
    /// When the template is wrong, or an override names a resource that the cluster does not have.
    pub fn new(mapping: &ResourceMapping, mapper: &ResourceMapper) -> Result<Self, String> {
        let template = match mapping.template.as_str() {
            "" => None,
            text => Some(LabelTemplate::new(text).map_err(|error| format!("resources.template {text:?}: {error}"))?),
        };
        let mut association = Self {
            label_to_resource: BTreeMap::new(),
            resource_to_label: BTreeMap::new(),
            template,
        };
        for (label, name) in &mapping.overrides {
            let found = mapper.normalised(&name.group, &name.resource).ok_or_else(|| {
                let (group, resource) = (&name.group, &name.resource);
                format!("resources.overrides.{label}: the cluster has no resource {resource:?} in group {group:?}")
            })?;
            association.label_to_resource.insert(label.clone(), found.clone());
            association.resource_to_label.insert(found, label.clone());
        }
        Ok(association)
    }

    /// The label that names objects of a resource.
    ///
    /// # Errors
    /// When nothing associates it.
    pub fn label_of(&self, resource: &GroupResource, mapper: &ResourceMapper) -> Result<String, String> {
        if let Some(label) = self.resource_to_label.get(resource) {
            return Ok(label.clone());
        }
        let Some(form) = &self.template else {
            let missing = "the rule has neither a template nor an override for it";
            return Err(format!("no label is associated with {resource}: {missing}"));
        };
        let singular = mapper
            .singular(&resource.resource)
            .ok_or_else(|| format!("the cluster has no resource {resource}"))?;
        let group = resource.group.replace(['.', '-'], "_");
        match label(&form.template, &group, singular) {
            Ok(label) if label.is_empty() => Err("the label template gives an empty label".to_owned()),
            Ok(label) => Ok(label),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The labels of the overrides.
    pub fn overridden_labels(&self) -> impl Iterator<Item = &str> {
        self.label_to_resource.keys().map(String::as_str)
    }

    /// The resources that a series with these labels belongs to.
    pub fn resources_of<'a>(
        &self,
        labels: impl IntoIterator<Item = &'a str>,
        mapper: &ResourceMapper,
    ) -> Vec<GroupResource> {
        labels
            .into_iter()
            .filter_map(|label| match self.label_to_resource.get(label) {
                Some(resource) => Some(resource.clone()),
                None => self.template.as_ref()?.resource_of(label, mapper),
            })
            .collect()
    }
}
