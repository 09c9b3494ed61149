#!/usr/bin/env bash
# Releases an image to an environment: raw tables, then services, then marts.
#   deploy/release.sh TAG DBT_TARGET
# Needs Docker, Terraform, and the AWS command line with credentials; deploy/terraform/terraform.tfvars and release.s3.tfbackend.
# Environment: REGISTRY with the image, or FROM_REGISTRY to copy it from; SNOWFLAKE_USER and SNOWFLAKE_PRIVATE_KEY of Terraform's
# Snowflake user; F1STREAM_SNOWFLAKE_ACCOUNT, _DATABASE and _WAREHOUSE. Idempotent: after a failure run it again.
set -euo pipefail
cd "$(dirname "$0")/terraform"
fail() { echo "release.sh: $1" >&2; exit 1; }
tag=${1:?image tag is missing} target=${2:?dbt target is missing}
image="$REGISTRY:$tag"

for registry in "$REGISTRY" ${FROM_REGISTRY:+"$FROM_REGISTRY"}; do
  aws ecr get-login-password | docker login --username AWS --password-stdin "${registry%%/*}"
done
if ! docker manifest inspect "$image" >/dev/null 2>&1; then
  [ -n "${FROM_REGISTRY:-}" ] || fail "Image $image does not exist. Build and push it, or set FROM_REGISTRY."
  docker buildx imagetools create --tag "$image" "$FROM_REGISTRY:$tag"
fi

# Adds tables and columns, which new archive workers may need, and counts samples that are not counted.
init() {
  docker run --rm --read-only --env F1STREAM_SNOWFLAKE_ACCOUNT --env F1STREAM_SNOWFLAKE_DATABASE --env F1STREAM_SNOWFLAKE_WAREHOUSE \
    --env F1STREAM_SNOWFLAKE_USER --env F1STREAM_SNOWFLAKE_PRIVATE_KEY --env F1STREAM_SNOWFLAKE_ROLE "$image" warehouse init
}
export F1STREAM_SNOWFLAKE_USER="$SNOWFLAKE_USER" F1STREAM_SNOWFLAKE_PRIVATE_KEY="$SNOWFLAKE_PRIVATE_KEY" F1STREAM_SNOWFLAKE_ROLE=SYSADMIN
init

export SNOWFLAKE_AUTHENTICATOR=SNOWFLAKE_JWT
terraform init -input=false -backend-config=release.s3.tfbackend
terraform apply -input=false -auto-approve -var image_tag="$tag"

# A failed deployment rolls back and is then stable, so check the running image too.
cluster=$(terraform output -raw cluster)
for service in race archive web schedule; do
  aws ecs wait services-stable --cluster "$cluster" --services "$service" \
    || aws ecs wait services-stable --cluster "$cluster" --services "$service"  # each waits for 10 minutes
  definition=$(aws ecs describe-services --cluster "$cluster" --services "$service" \
    --query "services[0].deployments[?status=='PRIMARY'] | [0].taskDefinition" --output text)
  runs=$(aws ecs describe-task-definition --task-definition "$definition" \
    --query 'taskDefinition.containerDefinitions[0].image' --output text)
  [ "$runs" = "$image" ] || fail "Service $service was rolled back to $runs; see its log."
done

# Archive workers of a release that did not count samples have loaded until now, and the marts are built by the counts.
init

# Without unit tests, whose rows are fixed: CI has run them. As a task of service schedule, with its key and file system, whose lock prevents two builds at the same time.
network=$(aws ecs describe-services --cluster "$cluster" --services schedule --query 'services[0].networkConfiguration' --output json)
build="{\"containerOverrides\": [{\"name\": \"schedule\", \"command\": [\"dbt\", \"build\", \"--exclude-resource-type\", \"unit_test\"],
  \"environment\": [{\"name\": \"F1STREAM_DBT_TARGET\", \"value\": \"$target\"}]}]}"
for attempt in 1 2 3 4 5 6; do
  task=$(aws ecs run-task --cluster "$cluster" --task-definition "$definition" --launch-type FARGATE \
    --network-configuration "$network" --overrides "$build" --query 'tasks[0].taskArn' --output text)
  for _ in 1 2 3 4 5 6; do
    aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$task" && break
  done
  code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].containers[0].exitCode' --output text)
  [ "$code" = 2 ] || break  # the scheduler is building
  [ "$attempt" = 6 ] || sleep "${PAUSE_S:-300}"
done
[ "$code" = 0 ] || fail "dbt build on target $target ended with code $code; see the log group of schedule."
echo "$image is running, and the marts of target $target are built."
